// The confusion matrix: rolled up, thresholded, every cell a way to its boxes.
const matrix = document.getElementById("matrix");

function countPairs(groups, threshold, offDiagonal) {
  const pairs = new Map();
  for (let row = 0; row < boxes.id.length; row += 1) {
    if (boxes.label[row] < 0 || boxes.prediction[row] < 0 || (threshold > 0 && boxes.score[row] < threshold)) continue;
    const label = groups[boxes.label[row]];
    const prediction = groups[boxes.prediction[row]];
    if (offDiagonal && label === prediction) continue;
    const key = JSON.stringify([label, prediction]);
    if (pairs.has(key)) pairs.get(key).push(row);
    else pairs.set(key, [row]);
  }
  return pairs;
}

function drawMatrix() {
  const map = document.getElementById("matrix-map").value;
  const groups = map ? categories.maps[map] : categories.names;
  const threshold = Number(document.getElementById("matrix-score")?.value ?? 0);
  const offDiagonal = document.getElementById("matrix-off").checked;
  const pairs = countPairs(groups, threshold, offDiagonal);
  const onlyConfused = document.getElementById("matrix-used").checked;
  const used = new Set();
  for (const key of pairs.keys()) {
    const [label, prediction] = JSON.parse(key);
    if (!onlyConfused || label !== prediction) used.add(label).add(prediction);
  }
  // Names stay in the order of the tree, each once, where its first category stands.
  const names = [...new Set(groups)].filter((name) => used.has(name));
  let most = 1;
  let total = 0;
  for (const [key, rows] of pairs) {
    const [label, prediction] = JSON.parse(key);
    if (label !== prediction) {
      most = Math.max(most, rows.length);
      total += rows.length;
    }
  }
  const head = names.map((name) => make("th", { scope: "col", title: name }, make("span", {}, name)));
  const lines = names.map((label, y) =>
    make("tr", {}, make("th", { scope: "row", title: label }, label), names.map((prediction, x) => cellOf(pairs.get(JSON.stringify([label, prediction])), label, prediction, most, y, x))),
  );
  const corner = make("th", { class: "corner", scope: "col" }, "label ↓  prediction →");
  const table = make("table", { class: "matrix" }, make("thead", {}, make("tr", {}, corner, head)), make("tbody", {}, lines));
  matrix.replaceChildren(names.length ? table : make("p", { class: "nothing" }, "Nothing is confused here."));
  const first = matrix.querySelector("button");
  if (first) first.tabIndex = 0;
  document.getElementById("matrix-note").textContent = `${plural(total, "box", "boxes")} off the diagonal, ${plural(names.length, "name")}.`;
}

function cellOf(rows, label, prediction, most, y, x) {
  const diagonal = label === prediction ? "diagonal" : "";
  if (!rows) return make("td", { class: diagonal });
  // The root spreads small counts, which are most of a confusion matrix.
  const share = 0.12 + 0.88 * Math.sqrt(rows.length / most);
  const title = `labelled ${label}, predicted ${prediction}: ${plural(rows.length, "box", "boxes")}`;
  return make(
    "td",
    { class: diagonal },
    make("button", { type: "button", tabindex: "-1", "data-y": y, "data-x": x, style: `--share:${share.toFixed(3)}`, title, "aria-label": title, onclick: () => openBoxes(title, rows) }, String(rows.length)),
  );
}

function onMatrixKey(event) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const from = event.target.closest("button");
  if (!step || !from) return;
  event.preventDefault();
  const [y, x] = [Number(from.dataset.y), Number(from.dataset.x)];
  const ahead = [...matrix.querySelectorAll("button")].filter((cell) => {
    const [dy, dx] = [Number(cell.dataset.y) - y, Number(cell.dataset.x) - x];
    return dy * step[0] + dx * step[1] > 0;
  });
  const away = (cell) => {
    const [dy, dx] = [Math.abs(Number(cell.dataset.y) - y), Math.abs(Number(cell.dataset.x) - x)];
    return step[0] ? dx * 1000 + dy : dy * 1000 + dx;
  };
  const to = ahead.sort((a, b) => away(a) - away(b))[0];
  if (!to) return;
  from.tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
}

if (matrix) {
  for (const id of ["matrix-map", "matrix-off", "matrix-used"]) document.getElementById(id).addEventListener("change", drawMatrix);
  document.getElementById("matrix-score")?.addEventListener("input", (event) => {
    document.getElementById("matrix-score-value").textContent = (event.target.value / 1000).toFixed(2);
    drawMatrix();
  });
  matrix.addEventListener("keydown", onMatrixKey);
  drawMatrix();
}
