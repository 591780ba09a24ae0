"""`python -m models.lab.settings_page` writes docs/settings.md: every system and every setting, as the registry has
them."""
from core.contract import ROOT
from core.contract import systems as registry
from core.contract.files import write_text
from core.contract.systems import Setting, System

PAGE = ROOT / "docs" / "settings.md"
HEAD = """# Systems and their settings

Made from `core/contract/systems.json` and `settings.json` by `python -m models.lab.settings_page`. In Blender a \
setting is
`scene.baton.<system>.<setting>`; on the command line it is the flag of `python -m core generate <system>`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(system) for system in registry.systems().values())])


def section(system: System) -> str:
    """What a system is, and a table of its settings."""
    low, high = system.seconds
    makes = f"{system.to} from {system.source}" if system.source else "sound and motion from its settings alone"
    rows = [f"## {system.label} (`{system.name}`)", "", f"{system.tip}. It makes {makes}, {low:g} s to {high / 60:g} "
            f"min; code in `{system.module.rpartition('.')[0].replace('.', '/')}`, operator "
            f"`baton.generate_{system.name}`.", "",
            "| setting | flag | default | values | |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *(row(setting) for setting in system.settings.values()), ""])


def row(setting: Setting) -> str:
    """A line of the table."""
    default = "" if setting.default is None else str(setting.default)
    default = {"True": "on", "False": "off"}.get(default, default)
    flag = f"`{setting.flag}`" if setting.flag and setting.by in ("model", "frame") else ""
    return f"| {setting.label} (`{setting.name}`) | {flag} | {default} | {values(setting)} | {setting.tip} |"


def values(setting: Setting) -> str:
    """What a setting may be, for people."""
    if setting.type == "enum":
        named = ", ".join(item.id for item in setting.items)
        return named + (f", or {setting.min:g} to {setting.max:g}" if setting.raw.get("numbers") else "")
    if setting.min is not None and setting.max is not None:
        return f"{setting.min:.10g} to {setting.max:.10g}"
    return {"bool": "on, off", "object": setting.raw.get("object", "ARMATURE").lower(), "motion": "on, off"}.get(
        setting.type, setting.type)


if __name__ == "__main__":
    write_text(PAGE, page())
