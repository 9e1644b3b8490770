from __future__ import annotations

import hashlib
import json
from importlib.resources import files

from hazardgeo.webmap import assets, policy

STATIC = files("hazardgeo.webmap") / "static"
OWN = {"panel.js", "panel.css", "manifest.json", "LICENSES.md"}


def test_vendored_files_are_those_of_the_manifest():
    manifest = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))["files"]
    found = {entry["file"]: hashlib.sha256((STATIC / entry["file"]).read_bytes()).hexdigest() for entry in manifest}
    assert found == {entry["file"]: entry["sha256"] for entry in manifest}
    assert {item.name for item in STATIC.iterdir()} == set(found) | OWN


def test_every_vendored_package_has_its_licence():
    licences = (STATIC / "LICENSES.md").read_text(encoding="utf-8")
    for entry in json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))["files"]:
        assert f"{entry['name'].lower()} {entry['version']} ({entry['licence'].lower()})" in licences.lower()


def test_styles_carry_their_pictures_and_ask_for_none():
    style = assets.style("leaflet.css")
    assert style.count("url(data:image/png;base64,") == 3
    assert "url(images" not in style


def test_scripts_cannot_end_their_own_element():
    assert policy.close_safe('a = "</SCRIPT><!--"') == r'a = "<\/SCRIPT><\!--"'
    for name in ("leaflet.js", "jquery.min.js", "panel.js"):
        script = assets.script(name)
        assert "</script" not in script.lower()
        assert "sourceMappingURL" not in script


def test_the_policy_names_the_sha256_of_each_script():
    # echo -n "alert(1)" | openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in policy.content_policy(["alert(1)"])
    assert policy.content_policy([]).startswith("default-src 'none'; script-src 'none'")
