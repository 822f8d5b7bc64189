"use strict";
// A picture with boxes on a canvas, at the resolution of the screen.

const LABEL_HEIGHT = 20; // CSS pixels

/** Draws the picture as wide as its panel, no higher than most of the window, and the boxes, best on top. */
function drawPicture(canvas, picture, objects) {
  const scale = Math.min(canvas.parentElement.clientWidth / picture.width, (0.75 * innerHeight) / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  const density = devicePixelRatio;
  Object.assign(canvas, { width: Math.round(width * density), height: Math.round(height * density) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture.source, 0, 0, width, height);
  const onScreen = objects.map((object) => {
    const [left, top, right, bottom] = object.box;
    return { ...object, left: left * width, top: top * height, right: right * width, bottom: bottom * height };
  });
  for (const object of onScreen.toReversed()) drawBox(context, object);
  const taken = [];
  for (const object of onScreen) drawLabel(context, object, taken, width, height);
}

/** An outline in the class's colour between two thin dark ones: it shows on any background. */
function drawBox(context, { left, top, right, bottom, colour }) {
  for (const [width, style] of [[5, "rgb(0 0 0 / 60%)"], [3, colour]]) {
    Object.assign(context, { lineWidth: width, strokeStyle: style });
    context.strokeRect(left, top, right - left, bottom - top);
  }
}

/** The name and score, at the first corner of the box where no better object has its label; nowhere if all are taken. */
function drawLabel(context, object, taken, width, height) {
  const text = `${object.name} ${object.score.toFixed(2)}`;
  context.font = "600 13px system-ui, sans-serif";
  const wide = context.measureText(text).width + 8;
  const places = [
    [object.left, object.top - LABEL_HEIGHT],
    [object.left, object.bottom],
    [object.right - wide, object.top - LABEL_HEIGHT],
    [object.right - wide, object.bottom],
    [object.left, object.top],
    [object.left, object.bottom - LABEL_HEIGHT],
  ].map(([x, y]) => [Math.max(Math.min(x, width - wide), 0), Math.max(Math.min(y, height - LABEL_HEIGHT), 0)]);
  const isFree = ([x, y]) =>
    taken.every(([a, b, w]) => x >= a + w || a >= x + wide || Math.abs(y - b) >= LABEL_HEIGHT);
  const place = places.find(isFree);
  if (!place) return;
  const [x, y] = place;
  taken.push([x, y, wide]);
  context.fillStyle = object.colour;
  context.fillRect(x, y, wide, LABEL_HEIGHT);
  context.fillStyle = inkOn(object.colour);
  context.fillText(text, x + 4, y + 15);
}

/** Black or white, whichever has more contrast on #rrggbb by WCAG's luminance. */
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
