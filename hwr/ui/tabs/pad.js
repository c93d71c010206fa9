// The pad of the Draw tab; runs once, with what gr.HTML provides: element, props, trigger, watch.
//
// What was done is a list of steps (a stroke, a cleared paper, a picture put there by the
// server), and the paper shows the first `shown` of them. So undo and redo only move a number.
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true });
const button = (tool) => element.querySelector(`[data-tool="${tool}"]`);
const width = element.querySelector("input");
const steps = [];
let shown = 0;
let erasing = false;
let stroke = null; // the one under the pen
let sent = props.value; // what the server knows or has put there
let due = null; // a timer

// While the pen moves, the paper is read this often, in milliseconds.
const EVERY = 300;
const RUBBER = 32;

function drawStroke({ points, size, erase }) {
  pen.strokeStyle = pen.fillStyle = erase ? "#fff" : "#000";
  pen.lineWidth = size;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  const [first, ...others] = points;
  if (!others.length) {
    pen.arc(first.x, first.y, size / 2, 0, 2 * Math.PI);
    pen.fill();
    return;
  }
  pen.moveTo(first.x, first.y);
  for (const point of others) pen.lineTo(point.x, point.y);
  pen.stroke();
}

function paint() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  const visible = steps.slice(0, shown);
  const start = visible.findLastIndex((step) => step.clear || step.picture);
  for (const step of visible.slice(Math.max(0, start))) {
    if (step.picture) pen.drawImage(step.picture, 0, 0, canvas.width, canvas.height);
    else if (step.points) drawStroke(step);
  }
  if (stroke) drawStroke(stroke);
  button("undo").disabled = shown === 0;
  button("redo").disabled = shown === steps.length;
}

function add(step) {
  steps.splice(shown, steps.length, step);
  shown = steps.length;
  paint();
}

function send() {
  clearTimeout(due);
  due = null;
  sent = canvas.toDataURL("image/png");
  props.value = sent;
  trigger("input");
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) * canvas.width) / box.width,
    y: ((event.clientY - box.top) * canvas.height) / box.height,
  };
}

canvas.addEventListener("pointerdown", (event) => {
  if (stroke || event.button !== 0) return; // a second finger, another button
  canvas.setPointerCapture(event.pointerId);
  const size = erasing ? RUBBER : Number(width.value);
  stroke = { pointer: event.pointerId, points: [place(event)], size, erase: erasing };
  paint();
});

canvas.addEventListener("pointermove", (event) => {
  if (!stroke || event.pointerId !== stroke.pointer) return;
  const fine = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(fine.length ? fine : [event]).map(place));
  paint();
  due ??= setTimeout(send, EVERY);
});

function lift(event) {
  if (!stroke || event.pointerId !== stroke.pointer) return;
  const done = stroke;
  stroke = null;
  add(done);
  send();
}
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);

function use(erase) {
  erasing = erase;
  button("draw").setAttribute("aria-pressed", !erase);
  button("erase").setAttribute("aria-pressed", erase);
}

function move(by) {
  const to = Math.min(Math.max(shown + by, 0), steps.length);
  if (to === shown || stroke) return;
  shown = to;
  paint();
  send();
}

button("draw").addEventListener("click", () => use(false));
button("erase").addEventListener("click", () => use(true));
button("undo").addEventListener("click", () => move(-1));
button("redo").addEventListener("click", () => move(1));
button("clear").addEventListener("click", () => {
  use(false);
  add({ clear: true });
  send();
});
// On the whole page: a tool that is disabled by what it did loses the focus.
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
  if (!canvas.offsetParent || event.target.closest("input, textarea")) return;
  event.preventDefault();
  move(event.shiftKey ? 1 : -1);
});

watch("value", () => {
  if (!props.value || props.value === sent) return;
  sent = props.value;
  const picture = new Image();
  picture.onload = () => add({ picture });
  picture.src = sent;
});

paint();
