"""Pronunciations from spelling, and how far apart two of them sound.

A small rule set of our own: good enough to know that *tide* and *tied* are one sound and *beat* is near *feet*.
One character stands for one phoneme: E *day*, I *see*, Y *high*, O *go*, U *food*, Q *cow*, 8 *boy*, R *bird*,
a *cat*, A *hot*, e *bed*, i *bit*, o *law*, u *cut*, 6 *book*; S *she*, Z *measure*, C *chip*, j *jam*, T *thin*,
N *sing*; the other consonants stand for themselves.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

# Irregular words whose spelling misleads the rules below.
_IRREGULAR = dict(
    pair.split("=")
    for pair in """the=Tu a=u an=an of=uv to=tU two=tU too=tU do=dU you=yU who=hU shoe=SU new=nU knew=nU few=fyU view=vyU
    one=wun won=wun once=wuns some=sum come=kum done=dun love=luv lover=luver are=Ar was=wuz what=wAt what's=wAts want=wAnt
    is=iz his=hiz this=Tis there=Ter their=Ter they=TE where=wer were=wR said=sed says=sez friend=frend again=ugen been=bin
    give=giv live=liv have=hav move=mUv movie=mUvI door=dOr floor=flOr four=fOr for=fOr fourth=fOrT forth=fOrT poor=pOr
    more=mOr sure=SOr shore=SOr your=yOr hour=Qr hours=Qrz eye=Y eyes=Yz i=Y ice=Ys why=wY high=hY by=bY my=mY buy=bY
    ocean=OSun motion=mOSun notion=nOSun lotion=lOSun emotion=imOSun potion=pOSun portion=pOrSun mission=miSun
    heart=hArt hart=hArt hearth=hArT bear=ber bare=ber pear=per pair=per stair=ster steer=stIr wear=wer
    thumb=Tum climb=klYm knight=nYt night=nYt people=pIpul island=Ylund isle=Yl aisle=Yl i'll=Yl key=kI
    busy=bizI money=munI mother=muTer brother=bruTer other=uTer another=unuTer father=fATer
    weather=weTer whether=weTer feather=feTer leather=leTer tomorrow=tumArO tonight=tunYt question=kwesCun minute=minut
    minutes=minuts turn=tRn learn=lRn heard=hRd herd=hRd world=wRld word=wRd work=wRk worm=wRm warm=wOrm storm=stOrm
    great=grEt break=brEk brake=brEk steak=stEk laugh=laf enough=unuf though=TO through=TrU bought=bot caught=kot
    ghost=gOst most=mOst both=bOT post=pOst cold=kOld told=tOld sold=sOld hold=hOld gold=gOld bold=bOld old=Old golden=gOldun
    olden=Oldun roll=rOl whole=hOl child=cYld wild=wYld mind=mYnd find=fYnd kind=kYnd
    water=woter all=ol ball=bol call=kol fall=fol hall=hol tall=tol wall=wol small=smol
    queen=kwIn quiet=kwYut answer=anser sew=sO sword=sOrd should=S6d could=k6d would=w6d put=p6t pull=p6l full=f6l
    book=b6k look=l6k took=t6k cook=k6k hook=h6k foot=f6t good=g6d wood=w6d and=and
    don't=dOnt won't=wOnt time's=tYmz""".split()
)
# Longest match first; a tuple of (letters, phonemes).
_GRAPHEMES = sorted(
    (
        tuple(rule.split("="))
        for rule in """tch=C sch=sk igh=Y eigh=E eign=En augh=o ough=o
        tion=Sun sion=Zun ture=Cer dge=j ck=k ch=C sh=S th=T ph=f wh=w
        wr=r kn=n gn=n ng=N nk=Nk qu=kw gh=g ee=I ea=I oo=U oa=O ai=E ay=E au=o aw=o ou=Q ow=O oi=8 oy=8 ie=I ei=I ey=I
        ew=U ue=U ui=U er=er ir=R ur=R ar=Ar or=Or air=er ear=Ir eer=Ir our=Or oor=Or ce=s ci=si cy=sI ge=je gy=jI
        le$=ul y$=I x=ks c=k a=a b=b d=d e=e f=f g=g h=h i=i j=j k=k l=l m=m n=n o=A p=p q=k r=r s=s t=t u=u v=v w=w y=i z=z
        own$=Qn ower=Qer oud=Qd own=Qn ssion=Sun all=ol olk=Ok alk=ok alm=Am""".split()
    ),
    key=lambda rule: -len(rule[0].rstrip("$")),
)
_LONG = {"a": "E", "e": "I", "i": "Y", "o": "O", "u": "U"}
_MAGIC_E = re.compile(r"([aeiou])([bcdfgklmnpstvz])e(s?)$")
_DOUBLE = re.compile(r"([bdfglmnprstz])\1")

_VOWELS = "aAeEiIoOuU6YQ8R"
# Place on a height-backness plane, so that near vowels are near each other.
_VOWEL_PLACE = {
    "I": (0.0, 0.0), "i": (0.25, 0.1), "e": (0.5, 0.1), "E": (0.4, 0.0), "a": (0.9, 0.2), "u": (0.6, 0.5),
    "R": (0.5, 0.55),
    "A": (1.0, 0.7), "o": (0.8, 0.9), "O": (0.5, 1.0), "6": (0.25, 0.85), "U": (0.0, 1.0), "Y": (0.9, 0.4),
    "Q": (0.95, 0.75),
    "8": (0.6, 0.8),
}  # fmt: skip
# Manner, place (front of the mouth = 0) and voice of each consonant.
_CONSONANT = {
    "p": ("stop", 0, 0), "b": ("stop", 0, 1), "t": ("stop", 2, 0), "d": ("stop", 2, 1), "k": ("stop", 4, 0),
    "g": ("stop", 4, 1),
    "f": ("fricative", 0.5, 0), "v": ("fricative", 0.5, 1), "T": ("fricative", 1, 0),
    "s": ("fricative", 2, 0),
    "z": ("fricative", 2, 1), "S": ("fricative", 3, 0), "Z": ("fricative", 3, 1), "h": ("fricative", 5, 0),
    "C": ("affricate", 3, 0), "j": ("affricate", 3, 1), "m": ("nasal", 0, 1), "n": ("nasal", 2, 1), "N": ("nasal", 4, 1),
    "l": ("liquid", 2, 1), "r": ("liquid", 3, 1), "w": ("glide", 0, 1), "y": ("glide", 3, 1),
}  # fmt: skip
_WEAK = "hywr"  # often lost in fluent speech


@lru_cache(maxsize=16384)
def pronounce(word: str) -> str:
    """Phonemes of an English word, one character each.

    >>> pronounce("tide") == pronounce("tied"), pronounce("beat"), pronounce("feet")
    (True, 'bIt', 'fIt')
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    text = word.replace("'", "")
    text = re.sub(r"ied(s?)$", r"ide\1", text)
    text = _DOUBLE.sub(r"\1", text)
    marked = _MAGIC_E.sub(lambda m: m[1].upper() + ("s" if m[2] == "c" else m[2]) + m[3], text)
    phonemes, at = "", 0
    while at < len(marked):
        if marked[at].isupper():
            phonemes, at = phonemes + _LONG[marked[at].lower()], at + 1
            continue
        found, step = _match(marked, at)
        phonemes, at = phonemes + found, at + step
    return phonemes


def _match(text: str, at: int) -> tuple[str, int]:
    rest = text[at:]
    for letters, sound in _GRAPHEMES:
        plain = letters.rstrip("$")
        if rest.startswith(plain) and plain in (letters, rest):
            return sound, len(plain)
    return "", 1


def _substitution(a: str, b: str) -> float:
    if a == b:
        return 0.0
    if (a in _VOWELS) != (b in _VOWELS):
        return 1.5
    if a in _VOWELS:
        (height, back), (other_height, other_back) = _VOWEL_PLACE[a], _VOWEL_PLACE[b]
        return 0.3 + 0.6 * (abs(height - other_height) + abs(back - other_back))
    (manner, place, voice), (other_manner, other_place, other_voice) = _CONSONANT[a], _CONSONANT[b]
    return 0.2 * (voice != other_voice) + 0.35 * (manner != other_manner) + min(0.8, 0.4 * abs(place - other_place))


_PHONEMES = _VOWELS + "".join(_CONSONANT)
_COST = {(a, b): _substitution(a, b) for a in _PHONEMES for b in _PHONEMES}
_GAP = {p: 0.75 if p in _VOWELS else 0.45 if p in _WEAK else 0.65 for p in _PHONEMES}


def distance(a: str, b: str, cheaper: frozenset[tuple[str, str]] = frozenset(), most: float = math.inf) -> float:
    """Weighted edit distance of two phoneme strings; ``cheaper`` lists confusions that an accent makes easy.

    Above ``most`` the exact value does not matter and infinity is returned.

    >>> distance("bIt", "bIt"), distance("bIt", "pIt") < distance("bIt", "fIt") < distance("bIt", "sIt")
    (0.0, True)
    """
    row = [0.0]
    for phoneme in b:
        row.append(row[-1] + _GAP[phoneme])
    for x in a:
        diagonal, row[0] = row[0], row[0] + _GAP[x]
        for j, y in enumerate(b, start=1):
            cost = 0.1 if (x, y) in cheaper else _COST[x, y]
            best = min(diagonal + cost, row[j] + _GAP[x], row[j - 1] + _GAP[y])
            diagonal, row[j] = row[j], best
        if min(row) > most:
            return math.inf
    return row[-1]


_CLASS = {**dict.fromkeys(_VOWELS, "V"), **{p: kind[0][0] for p, kind in _CONSONANT.items()}}
_CLASS |= dict.fromkeys("TfvszSZCj", "s")


def outlines(phonemes: str) -> set[str]:
    """Coarse shapes of a pronunciation, whole and with one sound left out: words that share one may sound alike."""
    shape = "".join(_CLASS[p] for p in phonemes)
    return {shape} | {shape[:i] + shape[i + 1 :] for i in range(len(shape))}
