/* hazardgeo map pages: draws the layers and the panel from the page's own data elements. Text is only ever set as text. */
(function () {
'use strict';
const map = window.map_hazardgeo;
const read = id => JSON.parse(document.getElementById(id).textContent);
const page = read('hg-page');
const layers = Array.from({length: page.layers}, (_, i) => read('hg-layer-' + i));
const STEP = 1e-6, LINES_TOGETHER = 300, MANY_LINES = 3000, HATCH_PX = 7;
const narrow = window.matchMedia('(max-width: 760px)');

function make(tag, options, ...children) {
  const node = Object.assign(document.createElement(tag), options);
  node.append(...children);
  return node;
}

/* ---- signs: colours and hatches, the same on the map and in the legend ---- */
function paper(colour) {
  const parts = [1, 3, 5].map(i => Math.round(0.3 * parseInt(colour.slice(i, i + 2), 16) + 0.7 * 255));
  return 'rgb(' + parts.join(',') + ')';
}
function hatch(colour) {
  const tile = make('canvas', {width: HATCH_PX, height: HATCH_PX}), pen = tile.getContext('2d');
  pen.fillStyle = paper(colour);
  pen.fillRect(0, 0, HATCH_PX, HATCH_PX);
  pen.strokeStyle = colour;
  pen.lineWidth = 2.2;
  for (const shift of [-HATCH_PX, 0, HATCH_PX]) {
    pen.beginPath();
    pen.moveTo(shift - 1, HATCH_PX + 1);
    pen.lineTo(shift + HATCH_PX + 1, -1);
    pen.stroke();
  }
  return pen.createPattern(tile, 'repeat');
}
const fillOf = style => style.hatched ? hatch(style.colour) : style.colour;

/* ---- vectors ---- */
const CpuCanvas = L.Canvas.extend({ // a canvas that stays on the CPU: many times faster where there is no graphics driver
  _initContainer() {
    const canvas = this._container = document.createElement('canvas');
    L.DomEvent.on(canvas, {mousemove: this._onMouseMove, mouseout: this._handleMouseOut}, this);
    L.DomEvent.on(canvas, 'click dblclick mousedown mouseup contextmenu', this._onClick, this);
    canvas._leaflet_disable_events = true;
    this._ctx = canvas.getContext('2d', {willReadFrequently: true});
  }
});
const renderer = new CpuCanvas({padding: 0.3, tolerance: L.Browser.mobile ? 8 : 3});

function path(steps, corner) {
  const points = [];
  let east = corner[0], north = corner[1];
  for (let i = 0; i < steps.length; i += 2) {
    east += steps[i];
    north += steps[i + 1];
    points.push([north * STEP, east * STEP]);
  }
  return points;
}
function looks(layer) {
  const lineCount = layer.shapes.reduce((sum, parts, row) => sum + (layer.kinds[row] === 1 ? parts.length : 0), 0);
  const lineWidth = lineCount > MANY_LINES ? 1.5 : 2.4;
  return layer.styles.map(style => {
    const fillColor = fillOf(style), common = {renderer, interactive: layer.fields.length > 0};
    return [
      {...common, radius: layer.radius, color: style.hatched ? '#333333' : '#ffffff', weight: 1.2, fillColor, fillOpacity: 1},
      {...common, color: style.colour, weight: lineWidth, dashArray: style.dash || null, lineCap: style.dash ? 'butt' : 'round'},
      {...common, color: style.colour, weight: 1.6, dashArray: style.dash || null, fillColor, fillOpacity: style.hatched ? 0.85 : 0.5}
    ];
  });
}
function drawShape(kind, parts, look, corner) {
  if (kind === 0) return parts.map(part => L.circleMarker(path(part, corner)[0], look));
  if (kind === 2) return [L.polygon(parts.map(rings => rings.map(ring => path(ring, corner))), look)];
  const drawn = [];
  for (let i = 0; i < parts.length; i += LINES_TOGETHER) {
    drawn.push(L.polyline(parts.slice(i, i + LINES_TOGETHER).map(part => path(part, corner)), look));
  }
  return drawn;
}
function vector(layer) {
  const group = L.featureGroup(), look = looks(layer), rowOf = new Map();
  layer.shapes.forEach((parts, row) => {
    for (const shape of drawShape(layer.kinds[row], parts, look[layer.style_of[row]][layer.kinds[row]], layer.corner)) {
      rowOf.set(shape, row);
      group.addLayer(shape);
    }
  });
  if (layer.fields.length) group.on('click', event => openPopup(layer, rowOf.get(event.layer), event.latlng));
  return group;
}
function openPopup(layer, row, place) {
  const lines = layer.fields.map(field => make('tr', {},
    make('th', {textContent: field.label, scope: 'row'}), make('td', {textContent: field.texts[field.codes[row]]})));
  const table = make('table', {className: 'hg-popup'}, make('tbody', {}, ...lines));
  L.popup({maxWidth: 320}).setLatLng(place).setContent(table).openOn(map);
}

/* ---- rasters ---- */
map.createPane('hg-pictures').style.zIndex = 250;
function raster(layer, index) {
  const picture = L.imageOverlay(layer.image, layer.corners, {opacity: layer.opacity, pane: 'hg-pictures', zIndex: index + 1, alt: layer.name});
  picture.ready = new Promise(done => picture.on('load', done).on('error', () => {
    trouble('The picture of layer "' + layer.name + '" could not be drawn.');
    done();
  }));
  return picture;
}
function sharpen() { // cells stay cells when a picture is enlarged
  layers.forEach((layer, i) => {
    const image = layer.kind === 'raster' && drawn[i] && drawn[i].getElement();
    if (image) image.classList.toggle('crisp', image.offsetWidth * window.devicePixelRatio > image.naturalWidth);
  });
}

/* ---- layers on and off ---- */
const drawn = [];
function show(index, on) {
  if (!on) {
    if (drawn[index]) drawn[index].remove();
    return;
  }
  const layer = layers[index];
  drawn[index] = drawn[index] || (layer.kind === 'raster' ? raster(layer, index) : vector(layer));
  drawn[index].addTo(map);
  if (layer.kind === 'vector') drawn.slice(index + 1).forEach(above => above && above.bringToFront && map.hasLayer(above) && above.bringToFront());
}

/* ---- the panel ---- */
const troubles = make('p', {id: 'hg-trouble', role: 'alert'});
function trouble(text) { troubles.textContent += (troubles.textContent ? ' ' : '') + text; }
window.addEventListener('error', () => trouble('A part of this page could not be drawn; do not rely on what is missing.'));

function section(title, ...children) { return make('section', {}, make('h2', {textContent: title}), ...children); }
function times() {
  const rows = page.times.flatMap(([label, value]) => [make('dt', {textContent: label}), make('dd', {textContent: value})]);
  const event = page.event ? [make('p', {textContent: page.event})] : [];
  return event.length + rows.length ? [make('section', {}, ...event, make('dl', {className: 'hg-times'}, ...rows))] : [];
}
function headlines() {
  const figures = page.headlines.map(([label, value, note]) => make('div', {className: 'hg-figure'},
    make('span', {textContent: label}), make('b', {textContent: value}), make('span', {className: 'quiet', textContent: note})));
  return figures.length ? [section('Key figures', ...figures)] : [];
}
function notAssessed() {
  const items = page.not_assessed.map(text => make('li', {textContent: text}));
  return items.length ? [section('Not assessed, or assumed', make('ul', {className: 'hg-missing'}, ...items))] : [];
}
function sign(entry) {
  const canvas = make('canvas', {width: 52, height: 32}), pen = canvas.getContext('2d');
  pen.scale(2, 2);
  pen.fillStyle = fillOf(entry);
  pen.strokeStyle = entry.shape === 'line' ? entry.colour : entry.hatched ? '#333333' : '#7d8996';
  pen.beginPath();
  if (entry.shape === 'line') {
    pen.lineWidth = 3;
    pen.setLineDash(entry.dash ? entry.dash.split(/[ ,]/).map(Number) : []);
    pen.moveTo(0, 8);
    pen.lineTo(26, 8);
  } else if (entry.shape === 'point') pen.arc(13, 8, 6, 0, 7);
  else pen.rect(1.5, 1.5, 23, 13);
  if (entry.shape !== 'line') pen.fill();
  pen.stroke();
  return make('div', {className: 'hg-sign'}, canvas, make('span', {textContent: entry.label}));
}
function bar(b) {
  const strip = make('div', {className: 'hg-bar'});
  strip.style.background = 'linear-gradient(to right,' + b.colours.join(',') + ')';
  const ends = [b.low, b.unit, b.high].map(text => make('span', {textContent: text}));
  return [strip, make('div', {className: 'hg-ends'}, ...ends)];
}
function opacity(layer, index) {
  const slider = make('input', {type: 'range', min: '0.1', max: '1', step: '0.05', value: String(layer.opacity)});
  slider.addEventListener('input', () => { layer.opacity = Number(slider.value); drawn[index].setOpacity(layer.opacity); });
  return make('label', {className: 'hg-opacity'}, make('span', {textContent: 'Opacity'}), slider);
}
function layerBox(layer, index) {
  const box = make('input', {type: 'checkbox', checked: layer.shown});
  const detail = make('div', {className: 'hg-detail', hidden: !layer.shown});
  if (layer.note) detail.append(make('p', {className: 'quiet', textContent: layer.note}));
  if (layer.legend.bar) detail.append(...bar(layer.legend.bar));
  detail.append(...layer.legend.entries.map(sign));
  if (layer.kind === 'raster') detail.append(opacity(layer, index));
  box.addEventListener('change', () => { detail.hidden = !box.checked; show(index, box.checked); });
  return make('div', {className: 'hg-layer'}, make('label', {}, box, make('span', {textContent: layer.name})), detail);
}
function layerList() {
  const boxes = layers.map(layerBox).reverse(); // what lies on top is listed first
  return layers.length ? [section('Layers and legend', ...boxes)] : [];
}
function fold(on) {
  document.body.classList.toggle('folded', on);
  button.textContent = on ? 'Show' : 'Hide';
  button.setAttribute('aria-expanded', String(!on));
}
const button = make('button', {type: 'button', className: 'hg-fold'});
button.setAttribute('aria-controls', 'hg-content');
button.addEventListener('click', () => fold(!document.body.classList.contains('folded')));
const unfold = make('button', {type: 'button', id: 'hg-unfold', textContent: 'Show legend and figures'});
unfold.addEventListener('click', () => fold(false));

function build() {
  if (page.notice) document.body.prepend(make('div', {id: 'hg-notice', role: 'note', textContent: page.notice}));
  const last = make('section', {}, make('p', {textContent: page.disclaimer}),
    make('p', {className: 'quiet', textContent: 'Works without a network. Drawn with Leaflet 1.9.4; licences are in the source of this page.'}));
  const content = make('div', {id: 'hg-content'}, troubles, ...times(), ...headlines(), ...notAssessed(), ...layerList(), last);
  const panel = make('aside', {id: 'hg-panel'}, make('header', {}, make('h1', {textContent: page.title}), button), content);
  panel.setAttribute('aria-label', 'Legend and figures');
  document.body.append(panel, unfold);
  fold(narrow.matches);
}

/* ---- where the mouse is ---- */
function place(latlng) {
  const side = (value, plus, minus) => Math.abs(value).toFixed(5) + '° ' + (value < 0 ? minus : plus);
  return side(latlng.lat, 'N', 'S') + ', ' + side(latlng.wrap().lng, 'E', 'W') + ' (WGS 84) · north is up ↑';
}
function placeControl() {
  const control = L.control({position: 'bottomright'});
  const words = make('div', {className: 'hg-place'});
  control.onAdd = () => words;
  control.addTo(map);
  const centre = () => { words.textContent = (L.Browser.mobile ? 'Centre ' : '') + place(map.getCenter()); };
  map.on('moveend', centre);
  if (!L.Browser.mobile) map.on('mousemove', event => { words.textContent = place(event.latlng); });
  centre();
}

/* ---- start ---- */
build();
map.setMaxZoom(21);
map.invalidateSize(false);
if (page.view) map.fitBounds(page.view, {padding: [24, 24], maxZoom: 17, animate: false});
placeControl();
L.control.scale({imperial: false, position: 'bottomright', maxWidth: 140}).addTo(map);
map.on('zoomend', sharpen);
layers.forEach((layer, index) => { if (layer.shown) show(index, true); });
new ResizeObserver(() => map.invalidateSize(false)).observe(map.getContainer());
Promise.all(drawn.map(layer => layer && layer.ready)).then(() => requestAnimationFrame(() => requestAnimationFrame(() => {
  sharpen();
  window.__ready = true;
})));
})();
