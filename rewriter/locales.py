"""Language tags: one spelling for each, and what is wrong with those that name no language or place."""

from __future__ import annotations

import re
from functools import lru_cache

_TAG = re.compile(
    r"[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z\d]{5,8}|\d[a-z\d]{3}))*(-[a-wyz\d](-[a-z\d]{2,8})+)*(-x(-[a-z\d]{1,8})+)?"
)

#: Characters (RFC 5646, section 4.4.1); no longer tag is in use.
MAX_TAG = 35
#: ISO 639-1.
LANGUAGES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja "
    "jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb "
    "nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so "
    "sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu".split()
)
#: ISO 3166-1 alpha-2.
REGIONS = frozenset(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW".split()
)


@lru_cache(maxsize=4096)
def canonical_locale(tag: str) -> str:
    """The tag in the spelling of BCP 47, section 2.1.1; an underscore counts as a hyphen.

    >>> canonical_locale("EN_us"), canonical_locale("zh-hant-tw")
    ('en-US', 'zh-Hant-TW')
    """
    first, *rest = tag.replace("_", "-").lower().split("-")
    parts, in_extension = [first], False
    for part in rest:
        in_extension = in_extension or len(part) == 1
        if len(part) == 2 and not in_extension:
            parts.append(part.upper())
        else:
            parts.append(part.title() if len(part) == 4 and not in_extension and part.isalpha() else part)
    return "-".join(parts)


def locale_fault(tag: str) -> str:
    """What is wrong with a tag, or an empty string.

    Two-letter languages and regions must exist; three-letter languages are taken as they come.

    References
    ----------
    RFC 5646, section 2.1; ISO 639-1; ISO 3166-1.
    """
    if len(tag) > MAX_TAG:  # before anything is kept of it
        return f"{tag[:40]!r} has {len(tag)} characters, a BCP 47 tag such as en-US at most {MAX_TAG}"
    canonical = canonical_locale(tag)
    if not _TAG.fullmatch(canonical.lower()):
        return f"{tag[:40]!r} is not a BCP 47 tag such as en-US"
    language, *rest = canonical.split("-")
    if len(language) == 2 and language not in LANGUAGES:
        return f"unknown language {language!r} in {tag[:40]!r}"
    region = next((part for part in rest if len(part) == 2 and part.isupper()), None)
    if region is not None and region not in REGIONS:
        return f"unknown region {region!r} in {tag[:40]!r}"
    return ""
