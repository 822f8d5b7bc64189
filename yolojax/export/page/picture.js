"use strict";
// From a file to what the network reads, bit for bit as yolojax does it with OpenCV.

/**
 * A picture file as {source, width, height, pixels}; fails for what the browser cannot decode. Where a PNG is transparent,
 * browsers keep no colour, and yolojax reads what is there.
 */
async function readPicture(file) {
  const parts = withoutExif(new Uint8Array(await file.arrayBuffer()));
  const stored = await new Blob(parts).arrayBuffer(); // Firefox decodes no blob of several parts
  const bitmap = await createImageBitmap(new Blob([stored], { type: file.type }), { colorSpaceConversion: "none" });
  return takePicture(bitmap, bitmap.width, bitmap.height);
}

/** What an image, a bitmap or a video shows now. */
function takePicture(source, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  return { source: canvas, width, height, pixels: context.getImageData(0, 0, width, height).data };
}

/** The parts of a JPEG but its EXIF data, so that no browser turns the picture: boxes refer to the stored pixels. */
function withoutExif(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return [bytes];
  const parts = [bytes.subarray(0, 2)];
  let at = 2;
  while (bytes[at] === 0xff && bytes[at + 1] !== 0xda && at + 4 <= bytes.length) {
    const end = at + 2 + bytes[at + 2] * 256 + bytes[at + 3];
    if (bytes[at + 1] !== 0xe1) parts.push(bytes.subarray(at, end));
    at = end;
  }
  return [...parts, bytes.subarray(at)];
}

/** The picture stretched to width x height: float32 in 0..1, all red, all green, all blue. */
function toInput(picture, width, height) {
  const levels = resize(picture.pixels, picture.width, picture.height, width, height);
  const input = new Float32Array(levels.length);
  for (let i = 0; i < levels.length; i++) input[i] = levels[i] / 255;
  return input;
}

/**
 * OpenCV's INTER_LINEAR on bytes: bilinear without antialiasing, in whole numbers, weights in 2048ths.
 * RGBA, row by row, becomes three planes of levels 0..255.
 */
function resize(pixels, fromWidth, fromHeight, width, height) {
  const columns = taps(fromWidth, width);
  const rows = taps(fromHeight, height);
  for (const tap of columns) if (tap.low === tap.high) [tap.lowWeight, tap.highWeight] = [2048, 0];
  const out = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = rows[y];
    const [above, below] = [row.low * fromWidth, row.high * fromWidth];
    for (let x = 0; x < width; x++) {
      const { low, high, lowWeight, highWeight } = columns[x];
      for (let c = 0; c < 3; c++) {
        const top = (pixels[4 * (above + low) + c] * lowWeight + pixels[4 * (above + high) + c] * highWeight) >> 4;
        const bottom = (pixels[4 * (below + low) + c] * lowWeight + pixels[4 * (below + high) + c] * highWeight) >> 4;
        const level = (((row.lowWeight * top) >> 16) + ((row.highWeight * bottom) >> 16) + 2) >> 2;
        out[(c * height + y) * width + x] = level;
      }
    }
  }
  return out;
}

/** For each of `to` places the two of `from` that it lies between, and their weights. */
function taps(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.fround((i + 0.5) * (from / to) - 0.5);
    const low = Math.floor(at);
    const share = Math.fround(at - low);
    const inside = (place) => Math.min(Math.max(place, 0), from - 1);
    return {
      low: inside(low),
      high: inside(low + 1),
      lowWeight: roundEven(Math.fround(1 - share) * 2048),
      highWeight: roundEven(share * 2048),
    };
  });
}

/** To the nearest whole number, halves to the even one. */
function roundEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}
