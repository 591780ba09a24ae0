"""Chinese, Korean and Russian names of bones in the English words that the fuzzy search knows."""
import re

# Longer words first where one begins with another. Simplified and traditional.
CHINESE = (("骨盆 盆骨 髋部 髋 臀部 臀 胯", "pelvis"), ("大腿", "thigh"), ("小腿", "shin"), ("膝盖 膝", "knee"),
           ("脚趾 腳趾 脚尖 腳尖 脚掌 腳掌", "toe"), ("脚踝 腳踝 脚腕 腳腕 踝 脚部 脚 腳 足", "ankle"),
           ("锁骨 鎖骨", "clavicle"), ("上臂 大臂", "upperarm"), ("前臂 下臂 小臂", "forearm"), ("手肘 肘", "elbow"),
           ("肩膀 肩", "shoulder"), ("拇指", "thumb"), ("食指", "index"), ("中指", "middle"), ("无名指 無名指", "ring"),
           ("小指", "pinky"), ("手臂 胳膊", "arm"), ("手腕 手掌 手部 手", "hand"), ("脖子 脖 颈部 頸部 颈 頸", "neck"),
           ("头部 頭部 头 頭", "head"), ("脊椎 脊柱 腰椎 腰部 腰 腹部 腹", "spine"), ("胸部 胸腔 胸椎 胸", "chest"),
           ("扭曲 扭转 扭轉", "twist"), ("左", "left"), ("右", "right"), ("控制", "ctrl"), ("根", "root"))
KOREAN = (("골반 엉덩이", "pelvis"), ("허벅지 넓적다리 대퇴", "thigh"), ("종아리 정강이 하퇴", "shin"),
          ("무릎", "knee"), ("발가락 발끝", "toe"), ("발목 발", "ankle"), ("쇄골", "clavicle"), ("어깨", "shoulder"),
          ("위팔 윗팔 상완", "upperarm"), ("아래팔 아랫팔 전완", "forearm"), ("팔꿈치", "elbow"), ("팔", "arm"),
          ("손가락", "finger"), ("손목 손", "hand"), ("척추 허리 배", "spine"), ("가슴 흉부", "chest"),
          ("머리", "head"), ("목", "neck"), ("비틀림 트위스트", "twist"), ("왼쪽 왼", "left"), ("오른쪽 오른", "right"),
          ("루트", "root"))
RUSSIAN = (("таз", "pelvis"), ("бедро", "thigh"), ("голень", "shin"), ("колено", "knee"), ("носок пальцы", "toe"),
           ("лодыжка стопа ступня", "ankle"), ("ключица", "clavicle"), ("предплечье", "forearm"), ("плечо", "upperarm"),
           ("локоть", "elbow"), ("запястье кисть", "hand"), ("шея", "neck"), ("голова", "head"),
           ("позвоночник поясница спина", "spine"), ("грудь", "chest"), ("левый левая левое лев", "left"),
           ("правый правая правое прав", "right"), (r"л(?![а-я]) (?<![а-я])л(?=[._ -])", "left"),
           (r"п(?![а-я]) (?<![а-я])п(?=[._ -])", "right"), ("корень", "root"))
# By these a language is told: in Chinese ones, a Japanese skeleton says something else.
TOLD_BY = ((CHINESE, "大腿 小腿 大臂 小臂 上臂 前臂"),
           (KOREAN, "골반 허벅지 종아리 정강이 무릎 발목 팔꿈치 손목 어깨 척추"),
           (RUSSIAN, "бедро голень колено предплечье плечо локоть кисть стопа"))


def translated(names: dict[str, str]) -> dict[str, str]:
    """{key: name} with the words of such a language in English; as they are where no two names are in one."""
    for language, told in TOLD_BY:
        if sum(any(word in name.lower() for word in told.split()) for name in names.values()) >= 2:
            return {key: _english(name, language) for key, name in names.items()}
    return names


def _english(name, language):
    found = name
    for words, english in language:
        found = re.sub("|".join(words.split()), f" {english} ", found, flags=re.IGNORECASE)
    return name if found == name else re.sub(r" +(?=\d)", "", " ".join(found.split()))
