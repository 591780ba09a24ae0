"""Chinese names of bones in the English words that the fuzzy search knows."""
import re

# Longer words first where one begins with another. Simplified and traditional.
WORDS = (("骨盆 盆骨 髋部 髋 臀部 臀 胯", "pelvis"), ("大腿", "thigh"), ("小腿", "shin"), ("膝盖 膝", "knee"),
         ("脚趾 腳趾 脚尖 腳尖 脚掌 腳掌", "toe"), ("脚踝 腳踝 脚腕 腳腕 踝 脚部 脚 腳 足", "ankle"),
         ("锁骨 鎖骨", "clavicle"), ("上臂 大臂", "upperarm"), ("前臂 下臂 小臂", "forearm"), ("手肘 肘", "elbow"),
         ("肩膀 肩", "shoulder"), ("拇指", "thumb"), ("食指", "index"), ("中指", "middle"), ("无名指 無名指", "ring"),
         ("小指", "pinky"), ("手臂 胳膊", "arm"), ("手腕 手掌 手部 手", "hand"), ("脖子 脖 颈部 頸部 颈 頸", "neck"),
         ("头部 頭部 头 頭", "head"), ("脊椎 脊柱 腰椎 腰部 腰 腹部 腹", "spine"), ("胸部 胸腔 胸椎 胸", "chest"),
         ("扭曲 扭转 扭轉", "twist"), ("左", "left"), ("右", "right"), ("控制", "ctrl"), ("根", "root"))
TOLD_BY = ("大腿", "小腿", "大臂", "小臂", "上臂", "前臂")            # in these a Japanese skeleton says something else


def translated(names: dict[str, str]) -> dict[str, str]:
    """{key: name} with the Chinese words of the names in English; as they are where no two of them are Chinese."""
    if sum(any(word in name for word in TOLD_BY) for name in names.values()) < 2:
        return names
    return {key: _english(name) for key, name in names.items()}


def _english(name):
    for chinese, english in WORDS:
        name = re.sub("|".join(chinese.split()), f" {english} ", name)
    return re.sub(r" +(?=\d)", "", " ".join(name.split()))
