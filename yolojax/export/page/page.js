"use strict";
// NETWORKS, pushed by network-N.js, run on a picture or the camera. The others are compared with the first.

const ROUNDS = 11; // timed runs of each network on one picture, fewer where they take longer than
const MOST_MS = 8000;
const element = (id) => document.getElementById(id);
const state = { job: 0, watching: false, Tensor: null };

/** Starts ONNX Runtime and the networks; only then is there something to choose. */
async function start() {
  addPanels();
  addFacts();
  showThreshold();
  const ort = await loadRuntime();
  for (const network of NETWORKS) {
    network.session = await ort.InferenceSession.create(await unpack(network.onnx), { executionProviders: ["wasm"] });
    network.onnx = "";
  }
  state.Tensor = ort.Tensor;
  element("file").disabled = element("camera").disabled = false;
  say("Ready for a picture.");
}

/** ONNX Runtime Web from runtime.js: files beside a page that was opened from a disk may not be fetched. */
async function loadRuntime() {
  const script = new Blob([await unpack(RUNTIME.script)], { type: "text/javascript" });
  const ort = await import(URL.createObjectURL(script));
  ort.env.logLevel = "error";
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: await unpack(RUNTIME.binary) });
  return ort;
}

/** The bytes of a gzip file in base64. */
async function unpack(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i);
  const bytes = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(bytes).arrayBuffer());
}

/** Detects on a file, then times the networks on it, in turns. */
async function runFile(file) {
  const job = begin();
  say("Reading the picture…");
  let picture;
  try {
    picture = await readPicture(file);
  } catch {
    return say(`${file.name} is not a picture that this browser can read.`, true);
  }
  const inputs = toInputs(picture);
  await runAll(picture, inputs, job);
  if (state.job === job) await timeAll(inputs, job);
}

/** Detects on what the camera shows until something else begins; the milliseconds are of the last pictures. */
async function runCamera() {
  const job = begin();
  const video = document.createElement("video");
  video.playsInline = video.muted = true;
  let stream;
  try {
    if (!navigator.mediaDevices) throw new Error("it needs this page from your disk, from localhost or over https");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    return say(`No camera: ${error.message}.`, true);
  }
  if (state.job === job) {
    state.watching = true;
    element("camera").textContent = "Stop the camera";
  }
  while (state.job === job) {
    const picture = takePicture(video, video.videoWidth, video.videoHeight);
    await runAll(picture, toInputs(picture), job);
    if (state.job === job) sayTimes("");
  }
  for (const track of stream.getTracks()) track.stop();
}

/** Ends what ran before; returns the number of the new job. */
function begin() {
  state.job += 1;
  state.watching = false;
  for (const network of NETWORKS) network.times = [];
  element("camera").textContent = "Use the camera";
  return state.job;
}

/** What each network reads of a picture. */
const toInputs = (picture) => NETWORKS.map((network) => toInput(picture, network.width, network.height));

/** Runs each network once and shows what it finds. */
async function runAll(picture, inputs, job) {
  for (const [i, network] of NETWORKS.entries()) {
    const found = await run(network, inputs[i]);
    if (state.job !== job) return;
    Object.assign(network, { found, picture });
    keepTime(network, found.ms);
    show(network);
    await pause();
  }
}

/** Times the networks in turns, so that whatever else the machine does hits all of them. The first run was to warm up. */
async function timeAll(inputs, job) {
  for (const network of NETWORKS) network.times = [];
  const end = performance.now() + MOST_MS;
  for (let round = 0; round < ROUNDS && (round < 3 || performance.now() < end); round++) {
    say(`Timing, run ${round + 1} of ${ROUNDS}…`);
    for (const [i, network] of NETWORKS.entries()) {
      await pause();
      const { ms } = await run(network, inputs[i]);
      if (state.job !== job) return;
      keepTime(network, ms);
    }
  }
  sayTimes(` Median of ${NETWORKS[0].times.length} runs${NETWORKS.length > 1 ? ", in turns" : ""}.`);
}

/** One run: the objects, best first, boxes relative to the picture, and the milliseconds. */
async function run(network, input) {
  const images = new state.Tensor("float32", input, [1, 3, network.height, network.width]);
  const begun = performance.now();
  const { boxes, scores, labels } = await network.session.run({ images });
  const ms = performance.now() - begun;
  const objects = Array.from(scores.data, (score, i) => {
    const { name, colour } = network.classes[Number(labels.data[i])];
    return { name, colour, score, box: Array.from(boxes.data.slice(4 * i, 4 * i + 4)) };
  });
  objects.sort((a, b) => b.score - a.score);
  return { objects, ms };
}

/** Lets the browser draw and take clicks. */
const pause = () => new Promise((resolve) => setTimeout(resolve));

function keepTime(network, ms) {
  network.times = [...network.times, ms].slice(-ROUNDS);
  network.panel.querySelector(".time").textContent = `${digits(median(network.times))} ms`;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Draws the objects above the threshold, counts them, and lists them as `detections.json` does. */
function show(network) {
  const { panel, picture, found } = network;
  if (!picture) return;
  const objects = found.objects.filter((object) => object.score >= Number(element("threshold").value));
  const canvas = panel.querySelector("canvas");
  canvas.hidden = panel.querySelector("details").hidden = false;
  drawPicture(canvas, picture, objects);
  panel.querySelector(".found").textContent = counted(objects) || "Nothing found.";
  canvas.setAttribute("aria-label", `${network.name}: ${counted(objects) || "nothing found"}`);
  const cells = objects.map(({ name, score, box }) => [name, score.toFixed(3), ...inPixels(box, picture)]);
  panel.querySelector("tbody").replaceChildren(...cells.map((row) => tableRow(row)));
}

/** "2 × person, 1 × dog". */
function counted(objects) {
  const counts = new Map();
  for (const { name } of objects) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(", ");
}

/** Left, top, right, bottom in pixels from 1, as VOC has them. */
function inPixels(box, { width, height }) {
  return box.map((value, i) => Math.min(value * [width, height][i % 2] + 1, [width, height][i % 2]).toFixed(1));
}

/** The medians as a sentence. */
function sayTimes(about) {
  const [first, ...others] = NETWORKS.map(({ name, times }) => ({ name, ms: median(times) }));
  const lines = others.map(({ name, ms }) => {
    const ratio = first.ms / ms;
    const times = `${digits(ms)} ms against ${digits(first.ms)}`;
    if (ratio > 1.05) return `${name} is ${ratio.toFixed(1)} times as fast as ${first.name}: ${times}.`;
    if (ratio < 0.95) return `${name} is slower than ${first.name} here: ${times}.`;
    return `${name} is as fast as ${first.name} here: ${times}.`;
  });
  say((lines.join(" ") || `${first.name} takes ${digits(first.ms)} ms.`) + about);
}

function say(text, isError = false) {
  element("verdict").textContent = text;
  element("verdict").classList.toggle("error", isError);
}

const fail = (error) => say(`This page cannot run here: ${error.message}`, true);

const digits = (number) => (number < 9.95 ? number.toFixed(1) : number.toFixed(0));

/** 3,490,000,000 -> "3.49 G". */
function short(number) {
  const [unit, sign] = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]].find(([size]) => number >= size) ?? [1, ""];
  return `${Number((number / unit).toPrecision(3))} ${sign}`.trim();
}

function addPanels() {
  for (const network of NETWORKS) {
    const panel = (network.panel = document.createElement("article"));
    panel.innerHTML = `<div class="top"><h2></h2><span class="time"></span></div>
      <canvas role="img" hidden></canvas><p class="found"></p>
      <details hidden><summary>Boxes</summary><table><thead></thead><tbody></tbody></table></details>`;
    panel.querySelector("h2").textContent = network.name;
    panel.querySelector("thead").append(tableRow(["class", "score", "left", "top", "right", "bottom"], "th"));
    element("panels").append(panel);
  }
}

/** What each network costs and keeps; from the second on with its share of the first. */
function addFacts() {
  const share = (key, network, i) => (i ? ` (${digits((100 * network[key]) / NETWORKS[0][key])}%)` : "");
  const amount = (key) => (network, i) => short(network[key]) + share(key, network, i);
  const known = (key) => (network) => network.map?.[key].toFixed(4);
  const rows = {
    Input: ({ width, height }) => `${width} x ${height}`,
    "Multiply-adds": amount("macs"),
    Parameters: amount("parameters"),
    ...(NETWORKS.some(({ nonzero, parameters }) => nonzero < 0.99 * parameters) && { "Not zero": amount("nonzero") }),
    "ONNX file, bytes": amount("bytes"),
    Numbers: (network) => network.numbers,
    Classes: (network) => network.classes.length,
    "mAP, 11-point": known("points"),
    "mAP, area": known("area"),
  };
  element("facts").tHead.append(tableRow(["", ...NETWORKS.map((network) => network.name)], "th"));
  for (const [title, cell] of Object.entries(rows)) {
    const cells = NETWORKS.map(cell);
    if (cells.every((text) => text === undefined)) continue;
    element("facts").tBodies[0].append(tableRow([title, ...cells.map((text) => text ?? "not known")]));
  }
  for (const { name, notes } of NETWORKS) {
    for (const note of notes) {
      element("notes").append(Object.assign(document.createElement("li"), { textContent: `${name}: ${note}` }));
    }
  }
}

/** A row of texts; the first heads it. */
function tableRow(texts, kind = "td") {
  const row = document.createElement("tr");
  row.append(
    ...texts.map((text, i) => Object.assign(document.createElement(i ? kind : "th"), { textContent: text })),
  );
  return row;
}

function showThreshold() {
  element("threshold-value").textContent = Number(element("threshold").value).toFixed(2);
  NETWORKS.forEach(show);
}

element("file").addEventListener("change", ({ target }) => {
  if (target.files.length) runFile(target.files[0]).catch(fail);
  target.value = ""; // the same file again is a change too
});
element("camera").addEventListener("click", () => {
  if (state.watching) begin();
  else runCamera().catch(fail);
});
element("threshold").addEventListener("input", showThreshold);
addEventListener("resize", () => NETWORKS.forEach(show));
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
for (const end of ["dragleave", "drop"]) addEventListener(end, () => document.body.classList.remove("dragging"));
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length && state.Tensor) runFile(event.dataTransfer.files[0]).catch(fail);
});
start().catch(fail);
