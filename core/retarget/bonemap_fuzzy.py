"""Fuzzy bone names: sides and body parts as words, settled by the hierarchy where words leave a choice."""
import re
import unicodedata
from collections import Counter

from core.contract import JOINTS

SIDE_WORDS = {"l": "left", "left": "left", "lf": "left", "lt": "left", "lft": "left", "izquierda": "left",
              "gauche": "left",
              "links": "left", "r": "right", "right": "right", "rt": "right", "rgt": "right", "rechts": "right",
              "droite": "right", "derecha": "right", "izq": "left", "izquierdo": "left", "der": "right",
              "derecho": "right",
              "linke": "left", "linker": "left", "linkes": "left", "rechte": "right", "rechter": "right",
              "rechtes": "right", "droit": "right", "sinistra": "left", "sinistro": "left", "sx": "left",
              "destra": "right",
              "destro": "right", "dx": "right", "esquerda": "left", "esquerdo": "left", "esq": "left",
              "direita": "right", "direito": "right", "dir": "right"}
# Part -> words that mean it, most telling first; compounds are joined ("upper arm" -> "upperarm").
PARTS = {
    "pelvis": ["pelvis", "hips", "hip", "root", "torso", "cog", "waist"],
    "hip": ["thigh", "upleg", "upperleg", "legupper", "thighbend", "hip", "femur", "leg"],
    "knee": ["shin", "calf", "lowleg", "lowerleg", "leglower", "knee", "crus", "tibia", "leg"],
    "ankle": ["ankle", "foot"],
    "foot": ["toe", "toes", "ball", "toebase", "toe0", "foot"],
    "collar": ["clavicle", "collar", "collarbone", "shoulder", "shldr"],
    "shoulder": ["upperarm", "uparm", "armupper", "shldr", "humerus", "shoulder", "arm"],
    "elbow": ["forearm", "lowerarm", "lowarm", "armlower", "elbow", "radius", "ulna"],
    "wrist": ["wrist", "hand", "palm"],
    "neck": ["neck"],
    "head": ["head", "skull"],
    "spine": ["spine", "chest", "abdomen", "back", "ribcage", "torso", "waist", "lowerback", "upperchest", "belly",
              "stomach", "l5", "l3", "t12", "t8"],
    "hand": ["middle1", "mid1", "middle01", "fmiddle01", "middleproximal", "finger2", "middle", "hand"],
}
# The same in Spanish, German, French, Italian, Portuguese and Dutch, without accents, in Japanese with Latin letters,
# and as people misspell it.
FOREIGN = {
    "pelvis": "koshi kosi cadera caderas becken hufte huefte bassin hanche hanches bacino quadril bacia pelve bekken",
    "hip": "momo ashia asia muslo oberschenkel cuisse coscia coxa dij bovenbeen",
    "knee": "loleg hiza sune ashib asib pierna pantorrilla espinilla rodilla unterschenkel knie schienbein jambe "
            "mollet genou gamba polpaccio stinco ginocchio perna panturrilha canela joelho onderbeen",
    "ankle": "ashikubi asikubi ashi asi ashid asid pie tobillo fuss knochel pied cheville caviglia piede tornozelo pe "
             "enkel voet",
    "foot": "tsumasaki tumasaki ashie asie dedospie dedosdelpie dedos punta zehen zeh orteils orteil pointe ditapiede "
            "dita alluce dedospe tenen teen",
    "collar": "clavic shol sakotsu sakotu sako kata clavicula hombro schlusselbein schulter clavicule epaule "
              "clavicola spalla ombro sleutelbeen schouder",
    "shoulder": "ude udea brazosuperior brazo oberarm brassuperieur bras bracciosuperiore braccio omero bracosuperior "
                "braco bovenarm",
    "elbow": "forarm foarm loarm elb hiji udeb antebrazo codo unterarm ellbogen avantbras coude avambraccio gomito "
             "antebraco cotovelo onderarm",
    "wrist": "wirst tekubi te mano muneca handgelenk main poignet polso pulso punho mao pols",
    "neck": "kubi cuello hals nacken cou collo pescoco nek",
    "head": "atama kao cabeza kopf tete testa cabeca hoofd",
    "spine": "columna torax thorax pecho espalda abdomen wirbelsaule brust bauch rucken colonne poitrine ventre dos "
             "torse colonna spina petto torace schiena coluna peito costas barriga ruggengraat borst",
    "hand": "medio1 mittelfinger1 majeur1",
}
SPINE = ("spine1", "spine2", "spine3")
UPPER = ("elbow", "knee", "shoulder", "hip")        # what lies between joints that are found
IGNORED = re.compile(r"(^|[._\- ])(ik|pole|target|ctrl_ik|mch|org|tweak|twist|roll|helper|end|nub|eff|effector|socket|"
                     r"vis|widget|wgt|parent|heel|master|stretch_|tip|eye|jaw|tongue|breast|hair|skirt|cloth|weapon|"
                     r"twist\d*|share|corrective|driver|drv|muscle|bulge|curve|crv)([._\- \d]|$)", re.IGNORECASE)


def _plain(name):
    """A name without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", name.replace("ß", "ss")) if not unicodedata.combining(c))


def _spaced(name):
    """A name with spaces where capitals begin words."""
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", name)


def ignored(name):
    """Is this a twist, helper, driver, target or other bone that no joint is?"""
    return bool(IGNORED.search(name) or IGNORED.search(_spaced(name)))


def side_words(names):
    """{word: side} for these names: where none has a usual word for a side, Spanish I and D, French G
    and D, Portuguese E and D or Italian S and D."""
    if sum(words(name)[0] is not None for name in names) >= 4:
        return SIDE_WORDS
    letters = Counter(re.split(r"[^A-Za-z]+", _spaced(_plain(name)))[-1].lower() for name in names)
    left = next((letter for letter in "iges" if letters[letter] >= 4 and letters["d"] >= 4), None)
    return SIDE_WORDS | ({left: "left", "d": "right"} if left else {})


def words(name, sides=SIDE_WORDS):
    """(side or None, joined lower-case rest) of a bone name: "Bip01 L UpperArm" -> ("left", "upperarm")."""
    name = _plain(name.split(":")[-1].split("|")[-1])
    name = re.sub(r"^(mixamorig\d*|bip\d*|def|j_bip|valvebiped|cc_base|b|jnt|bone|bn|sk|c)[_\- .]+", "", name,
                  flags=re.IGNORECASE)
    name = _spaced(name)
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", name) if part]
    side, rest = None, []
    for part in parts:
        low = part.lower()
        if side is None and low in sides:
            side = sides[low]
            continue
        if side is None and re.fullmatch(r"[lr]\d+", low) and rest:         # "ArmL1"
            side, low = SIDE_WORDS[low[0]], low[1:]
        for word in ("left", "right"):
            if side is None and low.startswith(word) and len(low) > len(word):
                side, low = word, low[len(word):]
        rest.append(low)
    if len(rest) > 1 and rest[-1] == "n":                                   # "LToeN": a node
        rest.pop()
    if side is None and len(rest) == 1 and rest[0][0] in "lr" and any(
            re.sub(r"\d+$", "", rest[0][1:]) in known for known in PARTS.values()):
        side, rest = SIDE_WORDS[rest[0][0]], [rest[0][1:]]         # "lfemur", "rhand", "larm1"
    rest = [re.sub(r"^(bip|def|fk|jnt|joint|bone|ctrl|c|m|avg|j|bind)$", "", word) for word in rest]
    return side, re.sub(r"(fk|jnt|joint|bone|ctrl|bind)$", "", "".join(rest))


def fuzzy_matches(bones, known):
    """{joint: (bone, confidence)} for joints that `known` {joint: bone} lacks, from (name, parent) pairs."""
    parent_of, taken = dict(bones), set(known.values())
    sides = side_words([name for name, _ in bones])
    parsed = {name: words(name, sides) for name, _ in bones if name not in taken and not ignored(name)}
    found = {}

    def give(joint, bone, confidence):
        if bone is not None and joint not in known and joint not in found:
            found[joint] = bone, round(confidence, 2)
            taken.add(bone)
            parsed.pop(bone, None)

    def get(joint):
        return known.get(joint) or found.get(joint, (None, 0.0))[0]

    for side in ("left", "right"):
        # From the unmistakable ends inwards: "leg" and "shoulder" mean what is left between their neighbours.
        for part in ("wrist", "elbow", "ankle"):
            give(f"{side}_{part}", *_best(parsed, side, part, parent_of))
        give(f"{side}_foot", *_ball(parsed, side, parent_of, get(f"{side}_ankle")))
        give(f"{side}_knee", *_above(get(f"{side}_ankle"), parsed, side, "knee", parent_of))
        give(f"{side}_hip", *_above(get(f"{side}_knee"), parsed, side, "hip", parent_of))
        give(f"{side}_elbow", *_above(get(f"{side}_wrist"), parsed, side, "elbow", parent_of))
        give(f"{side}_shoulder", *_above(get(f"{side}_elbow"), parsed, side, "shoulder", parent_of))
        give(f"{side}_collar", *_above(get(f"{side}_shoulder"), parsed, side, "collar", parent_of))
        give(f"{side}_hand", *_best(parsed, side, "hand", parent_of, below=get(f"{side}_wrist")))
    for part in ("head", "neck"):
        give(part, *_best(parsed, None, part, parent_of))
    give("pelvis", *_pelvis(get("left_hip"), get("right_hip"), parsed, parent_of))
    if not any(joint.startswith("spine") for joint in known):       # a table that names no spine2 means none
        _give_spine(give, get, parsed, parent_of)
    return {joint: match for joint, match in found.items() if joint in JOINTS}


def _score(word, part):
    for rank, known in enumerate(PARTS[part]):
        if word == known:
            return 0.9 - 0.03 * rank
        if re.sub(r"\d+$", "", word) == known:
            return 0.85 - 0.03 * rank
    for rank, known in enumerate(FOREIGN[part].split()):
        if re.sub(r"\d+$", "", word) == re.sub(r"\d+$", "", known):
            return 0.85 - 0.03 * rank
    for rank, known in enumerate(PARTS[part]):
        if (len(known) > 3 or known == "toe") and known in word:
            return 0.6 - 0.03 * rank
    for rank, known in enumerate(FOREIGN[part].split()):
        if len(known) > 4 and known in word:
            return 0.55 - 0.02 * rank
    return 0.0


def _chain(bone, parent_of):
    """The bone's ancestors, nearest first."""
    chain = []
    bone = parent_of.get(bone)
    while bone is not None and bone not in chain:
        chain.append(bone)
        bone = parent_of.get(bone)
    return chain


def _best(parsed, side, part, parent_of, below=None):
    best, best_score = None, 0.0
    for name, (its_side, word) in parsed.items():
        if its_side != side or (below is not None and below not in _chain(name, parent_of)):
            continue
        # Of equals the bone nearest the root: a finger's "hand" lies below the hand.
        score = _score(word, part) - 0.001 * len(_chain(name, parent_of))
        if score > best_score:
            best, best_score = name, score
    return (best, best_score) if best_score > 0.3 else (None, 0.0)


def _ball(parsed, side, parent_of, ankle):
    """The best-named bone of the toes below the ankle; of several in a chain the first, at which the foot bends."""
    best, score = _best(parsed, side, "foot", parent_of, below=ankle)
    for name in _chain(best, parent_of) if best is not None and ankle is not None else ():
        if name == ankle:
            break
        if name in parsed and parsed[name][0] == side and _score(parsed[name][1], "foot") > 0.5:
            best = name
    return best, score


def _above(bone, parsed, side, part, parent_of):
    """The best-named ancestor of `bone` for a part; without hierarchy (control rigs) the best-named bone."""
    if bone is not None:
        chain = [name for name in _chain(bone, parent_of) if name in parsed and parsed[name][0] == side]
        scores = [_score(parsed[name][1], part) for name in chain]
        if part == "collar" and scores and max(scores) > 0.3:
            return chain[scores.index(max(scores))], max(scores)
        for depth, (name, score) in enumerate(zip(chain, scores)):
            if score > 0.3:
                # A limb in pieces ("upperarm01", "upperarm02") is moved by the first of them.
                # Two pieces with nothing above are its two halves ("leg01", "leg02").
                halves = part == "knee" and len(chain) == 2
                while not halves and depth + 1 < len(chain) and _bare(parsed, chain[depth + 1]) == _bare(parsed, name):
                    depth += 1
                return chain[depth], score - 0.02 * depth
        if part in UPPER and chain:                                # "arm1" above "arm2", or a word that nobody knows
            next_word = parsed[chain[1]] if len(chain) > 1 else (None, "")
            again = next_word[0] == side and _bare(parsed, chain[1]) == _bare(parsed, chain[0])
            if again or all(_score(parsed[chain[0]][1], other) <= 0.3 for other in PARTS):
                return chain[0], 0.5
    return _best(parsed, side, part, parent_of)


def _bare(parsed, name):
    return re.sub(r"\d+$", "", parsed[name][1])


def highest_spine(bones, known):
    """The bone that carries neck or collars when it lies above `known["spine3"]`; None when the table's bone is the
    one."""
    parent_of, spine3 = dict(bones), known.get("spine3")
    start = known.get("neck") or known.get("left_collar") or known.get("left_shoulder")
    top = parent_of.get(start)
    if spine3 is None or top is None or top in known.values() or ignored(top):
        return None
    side, word = words(top)
    stems = [re.sub(r"[\d_. ]+$", "", unicodedata.normalize("NFKC", name)) for name in (top, spine3)]
    named = _score(word, "spine") > 0.3 or stems[0] == stems[1]
    return top if side is None and named and spine3 in _chain(top, parent_of) else None


def middle_spine(bones, known):
    """The bone half-way between those of spine1 and spine3 where the table names none there; None without one."""
    if "spine2" in known or not {"spine1", "spine3"} <= set(known):
        return None
    parent_of = dict(bones)
    chain = _chain(known["spine3"], parent_of)
    if known["spine1"] not in chain:
        return None
    chain = [name for name in chain[:chain.index(known["spine1"])] if name not in known.values() and not ignored(name)
             and words(name)[0] is None and _score(words(name)[1], "spine") > 0.3]
    return chain[len(chain) // 2] if chain else None


def _pelvis(left_hip, right_hip, parsed, parent_of):
    if left_hip and right_hip:
        other = set(_chain(right_hip, parent_of))
        for name in _chain(left_hip, parent_of):
            if name in other and name in parsed:
                return name, max(0.6, _score(parsed[name][1], "pelvis"))
    return _best(parsed, None, "pelvis", parent_of)


def carrier(bones, mapping):
    """(bone, sure) for the pelvis: the mapped one where it carries the spine and both thighs, else the nearest
    ancestor that does if its name may be one of a pelvis; sure False where none does or the mapped bone was passed
    over."""
    parent_of = dict(bones)
    pelvis = mapping.get("pelvis")
    parts = [mapping[j] for j in ("left_hip", "right_hip") if j in mapping]
    parts += [mapping[j] for j in (*SPINE, "neck", "head") if j in mapping][:1]
    carried = [_chain(part, parent_of) for part in parts]
    if pelvis is None or len(parts) < 3 or all(pelvis in chain for chain in carried):
        return pelvis, True
    name = next((name for name in _chain(pelvis, parent_of) if all(name in chain for chain in carried)), None)
    if name is not None and not ignored(name) and words(name)[0] is None \
            and max(_score(words(name)[1], "pelvis"), _score(words(name)[1], "spine")) > 0.5:
        return name, False
    return pelvis, False


def _give_spine(give, get, parsed, parent_of):
    """Bones between pelvis and the neck (or arms), spread over spine1..3."""
    pelvis = get("pelvis")
    start = get("neck") or get("head") or get("left_collar") or get("left_shoulder")
    chain = []
    for name in _chain(start, parent_of) if start else []:
        if name == pelvis:
            break
        chain.append(name)
    else:
        chain = []
    chain = [name for name in reversed(chain) if name in parsed and parsed[name][0] is None]
    if not chain:
        chain = [name for name, (side, word) in parsed.items() if side is None and _score(word, "spine") > 0.3]
        chain.sort(key=lambda name: (len(_chain(name, parent_of)), name))
    confidence = 0.8 if all(_score(parsed[name][1], "spine") > 0.3 for name in chain) else 0.5
    if len(chain) == 1:
        picks = {"spine1": 0}
    elif len(chain) == 2:
        picks = {"spine1": 0, "spine3": 1}
    else:
        picks = {"spine1": 0, "spine2": (len(chain) - 1) // 2, "spine3": len(chain) - 1} if chain else {}
    picks = {joint: chain[place] for joint, place in picks.items()}
    for joint, bone in picks.items():
        give(joint, bone, confidence)
