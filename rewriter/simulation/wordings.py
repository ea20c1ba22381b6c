"""What can be asked and how people say it, as a small language; a leading ``?`` marks what the NLU does not know.

Each intent is a line ``domain.intent | share of goals | answer`` followed by its wordings with their weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_TEXT = """
music.play_song | 17 | Playing {song}.
  play {song} = 46
  play the song {song} = 12
  put on {song} = 9
  i want to hear {song} = 7
  start {song} = 3
  ? throw on {song} = 3
  ? let me hear {song} = 2.5
  ? how about some {song} = 1
music.play_artist | 7 | Here is music by {artist}.
  play {artist} = 30
  play music by {artist} = 12
  play something by {artist} = 8
  ? get me some {artist} = 3
  ? i am in the mood for {artist} = 2
music.play_playlist | 7 | Shuffling your {playlist} playlist.
  play my {playlist} = 26
  play my {playlist} playlist = 14
  shuffle my {playlist} = 8
  ? run my {playlist} = 3
  ? fire up my {playlist} = 3
music.play_genre | 4 | Here is some {genre}.
  play {genre} music = 16
  play some {genre} = 14
  ? give me {genre} = 3
music.volume_up | 3 | Volume up.
  turn it up = 16
  volume up = 14
  louder = 8
  ? crank it up = 8
  ? make it less quiet = 2
music.volume_down | 3 | Volume down.
  turn it down = 16
  volume down = 14
  quieter = 6
  ? that is too loud = 9
music.next_track | 3 | Next one.
  next song = 18
  skip this song = 14
  skip = 8
  ? i do not like this one = 9
music.pause | 2 | Paused.
  pause = 12
  pause the music = 12
  ? hold the music = 5
video.play_show | 5 | Starting {show}.
  watch {show} = 18
  play the show {show} = 8
  put on the show {show} = 6
  ? show me the latest {show} = 3
  ? bring up {show} = 2
video.play_movie | 3 | Starting the movie {movie}.
  watch the movie {movie} = 14
  play the movie {movie} = 12
  ? find the film {movie} = 4
video.play_podcast | 2 | Here is the latest episode of {podcast}.
  play the podcast {podcast} = 14
  play {podcast} = 8
  ? catch me up on {podcast} = 3
weather.today | 7 | It will be mild with a high of eighteen.
  what's the weather = 26
  what's the weather today = 14
  weather forecast = 6
  how is the weather = 8
  ? what's it like outside = 12
  ? do i need a jacket = 8
weather.city | 4 | In {city} it is cloudy.
  what's the weather in {city} = 20
  weather in {city} = 10
  how is the weather in {city} = 7
  ? is {city} nice right now = 4
weather.day | 4 | {day} looks dry.
  what's the weather {day} = 14
  what's the weather for {day} = 8
  weather {day} = 6
  ? how's {day} looking = 5
weather.rain | 3 | No rain is expected.
  will it rain today = 16
  is it going to rain = 14
  ? should i bring an umbrella = 9
lights.room_on | 5 | The {room} lights are on.
  turn on the {room} lights = 18
  turn on the lights in the {room} = 10
  {room} lights on = 8
  ? light up the {room} = 5
  ? make the {room} bright = 2
lights.room_off | 5 | The {room} lights are off.
  turn off the {room} lights = 18
  turn off the lights in the {room} = 10
  {room} lights off = 8
  ? kill the {room} lights = 5
lights.dim | 2 | Dimming to {level} percent.
  dim the lights to {level} percent = 14
  set the lights to {level} percent = 10
  ? bring the lights down to {level} = 4
climate.set_temperature | 3 | Set to {temperature} degrees.
  set the temperature to {temperature} = 14
  set the thermostat to {temperature} degrees = 10
  ? make it {temperature} degrees in here = 5
climate.warmer | 2 | Turning up the heat.
  make it warmer = 12
  turn up the heat = 12
  ? i am freezing = 8
timers.set | 9 | {minutes} minutes, starting now.
  set a timer for {minutes} minutes = 30
  set a {minutes} minute timer = 14
  timer for {minutes} minutes = 8
  ? count down {minutes} minutes = 5
  ? let me know in {minutes} minutes = 4
alarms.set | 6 | Alarm set for {clock}.
  set an alarm for {clock} = 18
  wake me up at {clock} = 14
  ? get me up at {clock} = 8
timers.left | 2 | Four minutes are left.
  how much time is left = 14
  check my timer = 8
  ? am i done yet = 7
lists.add_item | 7 | I added {item} to your {list} list.
  add {item} to my {list} list = 22
  put {item} on my {list} list = 12
  ? we are out of {item} = 5
  ? i need {item} on the {list} list = 2
lists.read | 2 | Here is your {list} list.
  what's on my {list} list = 14
  read my {list} list = 8
  ? go over my {list} list = 5
lists.remove_item | 1 | I removed {item}.
  remove {item} from my {list} list = 10
  take {item} off my {list} list = 5
calls.call_contact | 5 | Calling {contact}.
  call {contact} = 30
  make a call to {contact} = 4
  ? ring {contact} = 4
calls.send_message | 2 | What do you want to say to {contact}?
  text {contact} = 12
  send a message to {contact} = 10
  ? drop {contact} a line = 3
navigation.route | 4 | The way to {place} takes about twenty minutes.
  navigate to {place} = 14
  take me to {place} = 12
  directions to {place} = 8
  ? how do i reach {place} = 3
navigation.traffic | 2 | Traffic to {place} is light.
  how is traffic to {place} = 10
  how long to get to {place} = 8
  ? is the road to {place} busy = 4
navigation.nearby | 3 | The nearest {nearby} is half a mile away.
  find the nearest {nearby} = 10
  where is the nearest {nearby} = 12
  find a {nearby} nearby = 6
  ? i am looking for a {nearby} = 4
general.time | 4 | It is a quarter past.
  what time is it = 26
  tell me the time = 6
  ? got the time = 5
general.height | 2 | It is quite high.
  how tall is {mountain} = 14
  how high is {mountain} = 10
  ? what is the size of {mountain} = 3
general.capital | 2 | A city that you may know.
  what is the capital of {country} = 14
  what's the capital of {country} = 8
  ? which city runs {country} = 2
general.spell | 2 | It is spelled as it sounds.
  how do you spell {word} = 16
  spell {word} = 8
  ? what letters are in {word} = 3
general.calories | 1 | About a hundred.
  how many calories are in {food} = 12
  ? is {food} fattening = 3
general.score | 3 | {team} are ahead by two.
  did {team} win = 10
  what was the score of {team} game = 8
  ? how did {team} do = 6
general.joke | 3 | Here is one you will not forget.
  tell me a joke = 18
  ? make me laugh = 10
  ? say something funny = 6
general.news | 3 | Here are the headlines.
  what's the news = 12
  play the news = 12
  ? what is going on in the world = 8
! services.order_food | 0.7 | I can not order food yet.
  order a pizza = 6
  order some dinner = 4
! services.book_ride | 0.5 | I can not book rides yet.
  get me a taxi = 6
  book a ride to {place} = 4
! services.check_balance | 0.4 | I can not reach your bank.
  what's my bank balance = 6
"""

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Wording:
    """One way to say a goal: words with ``{slot}`` places, its weight, and whether the NLU knows it."""

    text: str
    weight: float
    known: bool


@dataclass(frozen=True)
class Intent:
    """What can be asked: its share of all goals, its slots, its answer, and whether anything can fulfil it."""

    name: str
    share: float
    answer: str
    slots: tuple[str, ...]
    wordings: tuple[Wording, ...]
    possible: bool

    @property
    def known(self) -> tuple[Wording, ...]:
        """Wordings that the NLU knows, most popular first."""
        return tuple(sorted((w for w in self.wordings if w.known), key=lambda w: -w.weight))


def _wording(line: str) -> Wording:
    text, _, weight = line.strip().rpartition(" = ")
    return Wording(text.lstrip("? "), float(weight), not text.startswith("?"))


@cache
def intents() -> dict[str, Intent]:
    """All intents by name, in the order of the text above."""
    found: dict[str, Intent] = {}
    for block in re.split(r"\n(?=\S)", _TEXT.strip()):
        head, *lines = block.splitlines()
        name, share, answer = (part.strip() for part in head.lstrip("! ").split("|"))
        wordings = tuple(_wording(line) for line in lines)
        slots = tuple(dict.fromkeys(s for w in wordings for s in _SLOT.findall(w.text)))
        found[name] = Intent(name, float(share), answer, slots, wordings, not head.startswith("!"))
    return found


def fill(text: str, slots: tuple[tuple[str, str], ...]) -> str:
    """The text with its ``{slot}`` places filled.

    >>> fill("play {song}", (("song", "silver tide"),))
    'play silver tide'
    """
    for name, value in slots:
        text = text.replace("{" + name + "}", value)
    return text
