from __future__ import annotations

import folium
import geopandas
import pytest
import shapely

from hazardgeo.errors import FormatError, InputError
from hazardgeo.webmap import inline
from hazardgeo.webmap.inline import ends_within_text


def page(*children, **options):
    m = folium.Map([42.5, 1.5], zoom_start=12, **({"tiles": None} | options))
    for child in children:
        child.add_to(m)
    return m.get_root().render()


def zones():
    gdf = geopandas.GeoDataFrame({"name": ["Upper </script> $& \\1"]}, geometry=[shapely.box(1.4, 42.4, 1.6, 42.6)], crs=4326)
    return folium.GeoJson(gdf, tooltip=folium.GeoJsonTooltip(["name"]), popup=folium.GeoJsonPopup(["name"]))


def test_folium_pages_lose_every_network_address(tmp_path):
    out = inline(page(zones()), tmp_path / "out.html")
    text = out.read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert 'href="http' not in text.replace('href="https://leafletjs.com"', "")  # Leaflet's own credit, a link to click
    assert "Content-Security-Policy" in text
    assert [f.name for f in tmp_path.iterdir()] == ["out.html"]


def test_a_file_and_its_text_give_the_same_page(tmp_path):
    source = tmp_path / "in.html"
    source.write_text(page(zones()), encoding="utf-8")
    from_file = inline(source, tmp_path / "a.html").read_bytes()
    assert from_file == inline(str(source), tmp_path / "b.html").read_bytes()
    assert from_file == inline(source.read_text(encoding="utf-8"), tmp_path / "c.html").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda: page(tiles="OpenStreetMap"), r"tiles from 'https://tile\.openstreetmap\.org.*tiles=None"),
        (lambda: page(folium.Marker([42, 1], icon=folium.Icon(color="red"))), "AwesomeMarkers"),
        (lambda: page(folium.Marker([42, 1], popup=folium.Popup(folium.IFrame("x")))), "frames"),
        (lambda: page().replace("<body>", '<body><img src="https://example.org/a.png">'), r"loads 'https://example\.org/a\.png'"),
        (lambda: page().replace("<body>", '<body><i class="fa fa-fire"></i>'), "Font Awesome"),
        (lambda: page().replace("<body>", '<body><b data-bs-toggle="x"></b>'), "Bootstrap's scripts"),
        (lambda: page().replace("</head>", '<meta http-equiv="refresh" content="0;url=https://example.org"></head>'), "refresh"),
        (lambda: page().replace("leaflet@1.9.3", "leaflet@2.0.0"), r"asks for 'https://cdn.*leaflet@2\.0\.0/dist/leaflet\.js'"),
        (lambda: page().replace("</head>", '<script src="https://example.org/d3.min.js"></script></head>'), r"d3\.min\.js"),
        (lambda: page().replace("</head>", '<link rel="stylesheet" href="../a.css"></head>'), r"'\.\./a\.css'"),
        (lambda: "<p>nothing", "no <head>"),
    ],
)
def test_what_needs_a_network_or_another_library_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        inline(text(), tmp_path / "out.html")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"gone\.html"):
        inline(tmp_path / "gone.html", tmp_path / "out.html")


@pytest.mark.browser
def test_folium_pages_work_offline_in_a_browser(tmp_path, open_page):
    markers = [folium.Marker([42.5, 1.45], popup="A popup"), folium.CircleMarker([42.45, 1.5], popup="B")]
    inline(page(zones(), *markers, folium.LayerControl()), tmp_path / "out.html")
    opened = open_page(tmp_path / "out.html", wait="document.querySelectorAll('.leaflet-marker-icon').length === 1")
    icon = opened.tab.locator(".leaflet-marker-icon")
    assert icon.evaluate("e => e.complete && e.naturalWidth") == 25
    icon.click()
    opened.tab.wait_for_selector(".leaflet-popup-content")
    assert "A popup" in opened.tab.locator(".leaflet-popup-content").inner_text()
    opened.require_quiet()


@pytest.mark.browser
def test_handlers_in_attribute_text_do_not_run_in_folium_pages(tmp_path, open_page):
    popup = '<img src="data:," onerror="window.__x = 1"><b id="seen">text</b>'
    inline(page(folium.Marker([42.5, 1.5], popup=popup)), tmp_path / "out.html")
    opened = open_page(tmp_path / "out.html", wait="document.querySelectorAll('.leaflet-marker-icon').length === 1")
    opened.tab.locator(".leaflet-marker-icon").click()
    opened.tab.wait_for_selector("#seen")
    opened.tab.wait_for_timeout(100)
    assert opened.tab.evaluate("window.__x") is None
    assert opened.requests == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lambda: page(folium.Marker([42, 1], popup="</script><script>document.title='x'</script>")), "ends within a text"),
        (lambda: page(folium.Marker([42, 1], popup="A </script x> popup")), "'</script>' or breaks its quotes"),
        (lambda: page(folium.Marker([42, 1], tooltip="`)</script><script>alert(1);`")), r"not, beginning with 'alert\(1\)"),
        (lambda: page().replace("<body>", "<body><script>document.title='x'</script>"), r"beginning with \"document\.title='x'"),
        (lambda: page().replace("<body>", '<body><script type="module">L.map(0)</script>'), r"beginning with 'L\.map\(0\)'|'var"),
        (lambda: page().replace("L_NO_TOUCH = false;", "L_NO_TOUCH = false; evil();"), r"beginning with 'L_NO_TOUCH.*evil"),
    ],
)
def test_scripts_that_folium_did_not_write_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        inline(text(), tmp_path / "out.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "open_text"),
    [
        ("f(`<b>", True),
        ("a = 'x", True),
        ('a = "x\\"', True),
        ("a = 'b\nc'", True),
        ("/* it", True),
        ("`a${`b${1}`}c", True),
        ("a = '//'; b = `c", True),
        ("a = 1 / 2; b = '`' / 3", False),
        ("a = /[`'\"/]/g; b = /`/", False),
        ("a = /* b/c's */ 1", False),
        ("`a${`b${{c: 1}.c}`}d`", False),
        ("`\\`\\${`", False),
        ("// it's `\nf('it\\'s')", False),
    ],
)
def test_a_script_ends_within_a_text_or_not(script, open_text):
    assert ends_within_text(script) is open_text


def test_quotes_and_comment_signs_in_popups_and_tooltips_are_no_open_text(tmp_path):
    texts = ["It's `here`", 'a "school', "50 % // *or* /* less", "C:\\village", "{ and }"]
    inline(page(*(folium.Marker([42, 1], popup=text, tooltip=text.replace("`", "")) for text in texts)), tmp_path / "out.html")
    assert (tmp_path / "out.html").exists()
