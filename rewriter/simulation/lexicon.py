"""Words and names of the simulated world, all invented or everyday; no data set stands behind them."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.split()))


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase.strip() for phrase in text.replace("\n", " ").split(",") if phrase.strip()))


#: First and second words of song titles.
TITLE_FIRST = _words("""
    silver golden bitter gentle hollow crimson velvet broken little frozen hidden lonely restless burning silent
    northern southern distant faded paper midnight morning summer winter electric plastic marble copper scarlet shallow
    tender quiet crooked blue green white black red sweet wild cold warm slow fast deep high empty heavy
    dancing falling running sleeping waiting dreaming sailing shining secret simple second final only
""")
TITLE_SECOND = _words("""
    tide rain moon night sun sea rose heart train road wave light fire river mirror shadow thunder summer whisper dancer
    stranger feather weather ocean motion garden harbor candle paper diamond highway bridge window door tower city
    desert island mountain valley forest flower petal willow meadow snow storm cloud star sky dawn hour minute season
    song letter story promise reason answer question memory thief king queen soldier sailor painter lover mother brother
    beat feet street wheel steel field shield bell well shell tail sail pale gate fate lake bay day way play stone
    bone phone home ship chip sheep heel hill
""")
SONG_WORDS = _phrases(
    "thunderbird, gravity, seventeen, satellite, marigold, lullaby, avalanche, carousel, tambourine, "
    "evergreen, paradise, kerosene, butterfly, dynamite, wonderland, parachute, chandelier, masquerade"
)
BAND_FIRST = _words("""
    velvet iron paper silver hungry lazy electric broken wandering flying marble purple northern crystal wooden lucky
    hidden tiny royal cosmic
""")
BAND_SECOND = _words("""
    foxes wolves sparrows tigers ravens lanterns mirrors sisters brothers pilots rivers tides engines shadows horses
    poets sailors arrows kites bandits
""")
FIRST_NAMES = _words("""
    anna bella carla diana ella fiona grace helen irene julia karen laura maria nora olga paula rosa sarah tina vera
    adam brian carl daniel erik felix george harry ivan jack kevin leo martin neil oscar peter ryan simon tom victor
    walter alan barry dean frank glen jerry larry mark paul rick sean ted
""")
LAST_NAMES = _words("""
    marlow penrose whitaker holloway lindgren castell moreno okafor tanaka petrov duval keller byrne sorrell vance
    hartley winslow prescott calloway redfern
""")
KIN = _phrases(
    "mom, dad, grandma, grandpa, my sister, my brother, my wife, my husband, the office, the doctor, "
    "the dentist, the school, uncle bob, aunt mary, my boss, my neighbor"
)
GENRES = _phrases(
    "jazz, rock, country, classical, blues, reggae, folk, pop, disco, metal, soul, salsa, techno, opera, "
    "gospel, lounge, ambient, bluegrass"
)
PLAYLIST_FIRST = _words(
    "morning evening party workout dinner road cleaning study sleep kitchen beach holiday gym garage "
    "shower focus chill weekend running reading wedding rainy"
)
PLAYLIST_SECOND = _words("mix list tunes favorites jams vibes beats classics")
SHOW_FIRST = _words(
    "harbor winter raven silver night hidden river castle falcon copper desert island glass midnight "
    "hollow iron maple saint storm willow"
)
SHOW_SECOND = _words(
    "files point house court patrol hospital secrets lane squad kitchen diaries hunters academy brothers valley crown"
)
MOVIE_PATTERNS = ("the {first} {second}", "return of the {second}", "{second} of the {first}", "{first} rising")
CITIES = _phrases(
    "paris, london, boston, chicago, dallas, austin, denver, seattle, berlin, madrid, rome, milan, tokyo, "
    "moscow, dublin, oslo, vienna, lisbon, athens, cairo, delhi, sydney, perth, toronto, houston, portland, "
    "phoenix, miami, atlanta, orlando, memphis, salem, reno, tampa, venice, munich, lima, quito, geneva, "
    "prague, warsaw, helsinki, naples, brussels, hamburg, lyon, leeds, bristol, york, bath"
)
DAYS = _phrases("tomorrow, tonight, monday, tuesday, wednesday, thursday, friday, saturday, sunday, this weekend, next week")
ROOMS = _phrases(
    "kitchen, bedroom, living room, bathroom, hall, office, garage, basement, attic, nursery, den, porch, "
    "guest room, dining room, laundry room, study"
)
TEMPERATURES = _phrases(
    "sixteen, seventeen, eighteen, nineteen, twenty, twenty one, twenty two, twenty three, "
    "sixty five, sixty eight, seventy, seventy two"
)
LEVELS = _phrases("ten, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety")
MINUTES = _phrases(
    "ten, five, fifteen, twenty, thirty, three, two, forty five, twenty five, eight, seven, twelve, forty, "
    "fifty, six, four, thirteen, ninety, sixty, eleven, nine, fourteen"
)
CLOCKS = _phrases(
    "seven, six thirty, six, seven thirty, eight, five thirty, five, six fifteen, six forty five, eight thirty, "
    "nine, seven fifteen, ten, four thirty, noon, nine thirty, five fifteen, midnight"
)
ITEMS = _phrases(
    "milk, eggs, bread, butter, bananas, coffee, cheese, apples, chicken, toilet paper, onions, tomatoes, sugar, "
    "flour, rice, pasta, olive oil, salt, pepper, yogurt, cereal, lettuce, carrots, potatoes, garlic, beans, "
    "paper towels, dish soap, dog food, cat food, batteries, shampoo, toothpaste, orange juice, tea, honey, ham, "
    "bacon, salmon, shrimp, beef, pork, peas, corn, grapes, pears, peaches, berries, lemons, limes, ginger, "
    "basil, thyme, cream, sour cream, ice cream, crackers, cookies, candles, light bulbs, trash bags, sponges, "
    "foil, napkins, wine, beer, soda, sparkling water"
)
LISTS = _phrases("shopping, grocery, to do, packing")
PLACES = _phrases(
    "work, the airport, the mall, the station, the beach, the library, the museum, the stadium, the zoo, "
    "the harbor, downtown, maple street, river road, oak avenue, hill street, bay bridge, stone lane, mill road, "
    "grand hotel, city hall, north gate, south pier, central park, west field, lake shore"
)
NEARBY = _phrases(
    "gas station, pharmacy, coffee shop, grocery store, bank, restaurant, hospital, post office, hardware store, "
    "bakery, gym, parking garage, bookstore, pizza place, car wash, hotel, pet store, bus stop"
)
MOUNTAINS = _phrases(
    "mount everest, mount fuji, mount rainier, the matterhorn, mont blanc, kilimanjaro, mount hood, "
    "mount elbert, mount shasta, pikes peak"
)
COUNTRIES = _phrases(
    "france, spain, italy, germany, peru, chile, kenya, norway, sweden, poland, greece, turkey, egypt, india, "
    "japan, canada, brazil, austria, portugal, finland, ireland, cuba, iceland, morocco, hungary"
)
HARD_WORDS = _phrases(
    "necessary, rhythm, banana, definitely, restaurant, beautiful, separate, mississippi, vacuum, weird, "
    "license, tomorrow, calendar, embarrass, february, conscience, plateau, bureau, colonel, yacht"
)
FOODS = _phrases(
    "an egg, a banana, an apple, rice, an avocado, bread, a bagel, chicken breast, butter, a potato, almonds, "
    "oatmeal, salmon, a cookie, a slice of pizza"
)
TEAMS = _phrases(
    "the hawks, the bears, the comets, the rockets, the pirates, the miners, the sharks, the lions, the bulls, "
    "the rangers, the kings, the stars"
)
PODCASTS = _phrases(
    "the daily brew, night science, history hour, the money talk, true tales, the sleep report, morning brief, "
    "word play, the long walk, tech table, garden talk, the open road"
)

#: Everyday words that nobody asks for by name but that a recogniser knows and may hear instead.
EVERYDAY = _words("""
    tied reign moons nice knight son see rows hart trains rode waive lights higher liver error window thunderstorm hummer
    pay prey pray plate late lamp ramp pain plain plane place lace race raise rays raise base face case chase space
    fair fare fairy pair pear bear bare care share hair stair steer steal steel stale stall tall ball fall call hall
    boat bought bite bit bet bat pat pet pit put pot part port sport short shot shut shoot suit seat sit set sat
    meet meat mate mat met might mile smile while wheel will well wall whale wail vale veil fail mail male nail snail
    seal sale sell cell sill silk milk mill meal feel fill fell file vile pile pill peel pool pull full fool tool
    cool coal goal gold cold hold told bold bowl hole whole mole roll role rule ruler roller collar color caller
    cord card guard hard heard herd bird word worm storm form farm harm arm charm calm palm
    band bend bond hand land sand stand brand grand send spend friend trend tent rent went want wand
    bank tank thank rank drink think thing sing ring wing king bring spring string sting king kin skin
    cat cut cup cap tap top stop shop shape ship sheep cheap chip chop jeep deep dip tip type ripe wipe
    back bag bug big pig dig dog dock duck luck lock look book cook hook took
    cake make take lake wake fake shake brake break bake steak
    fine wine line lime time dime chime climb prime mine nine sign shine
    sister mister blister twister winter printer hunter center enter
    letter better butter batter matter ladder leather father feather further mother other another brother bother
    silver sliver shiver river giver quiver deliver
    golden olden gulden garden harden pardon burden
    paper caper taper vapor pepper peeper keeper sleeper
    candle handle sandal scandal cradle ladle
    ocean notion lotion motion emotion potion portion
    rose rise rice nice mice ice eyes eye high why fly flight fright bright right write light slight site sight
    house mouse blouse mouth south cloud loud proud crowd crown brown down town gown
    store star stir start heart hurt dart art
    fort fourth forth force horse house course source
    hear here ear year near fear tear beer dear deer gear
    new knew few view you dew due two too to shoe chew
    sun soon sin scene seen clean green grain
    run ran rain rein lane loan lone alone phone foam roam room rum drum dream cream scream stream
    say stay tray gray pray play clay day they
    four for more door floor pour poor sure shore
    won one once want won't
    hi hello okay yes yeah well so and or but then than that this these those there their them
    some sum come came calm game same shame name
    very berry merry marry carry cherry fairy ferry
    thirty dirty forty sporty party
    fifty sixty seventy mighty
    pause paws boss moss loss cross
    kitten mitten chicken thicken kitchens
    ladies babies rabies navies
    mixed mixes mics next text neck nest best rest test guest guessed
    tunas tuna tuner dinner sinner thinner diner miner liner
    flowers hours showers powers towers
    wonder under thunder plunder sunder
    minutes minute menace tennis finish
    timber time's timer climber limer rhymer
    alarmed alarms arms farm a lawn along belong song long wrong strong
    whether wetter sweater setter
    list lift left last lost least fist mist missed twist wrist
    pillow willow yellow fellow mellow hollow follow swallow wallow
    shallow shadow meadow narrow arrow sparrow tomorrow borrow
    stranger danger ranger manager
    castle hassle vessel muscle whistle
    copper chopper proper hopper topper
    marble marvel garble gargle
    fox folks box locks socks rocks knocks
    walls wolf golf gulf
    engines angels ankles uncles
    bandage bandits bandit
    sailors tailors jailers traders
    please police peace piece
    street treat sheet sweet feet feed seed need knead read red bed bread dead head
    beat beet bead bean been being bin pin pen pan can
    stone stones tone zone bone cone own known
    bell belle bill ball bull
    dawn don on an and in end
    hail hale pail tale ale aisle i'll oil
""")
