// The gallery: ranked disagreements, filtered, page by page.
const GALLERY_CARDS = 24;
const gallery = document.getElementById("gallery");
const filters = { text: "", kind: "", status: "", label: "", doubt: "", score: 0 };
let galleryRows = [];
let galleryPage = 0;

const candidates = () => {
  if (!data.labelled) return data.models ? data.ranked : [...boxes.id.keys()];
  const corrected = data.applied.map((entry) => rowOfBox.get(entry.annotation_id)).filter((row) => row !== undefined && !rankOfRow.has(row));
  return [...data.ranked, ...corrected];
};

function statusOf(box) {
  const mark = markOf(box);
  if (mark) return mark.verdict;
  return appliedOfBox.has(box) ? "applied" : "open";
}

function matches(row) {
  const box = boxes.id[row];
  const others = (data.models ?? []).map((model) => model.prediction[row]);
  const names = [boxes.label[row], boxes.prediction[row], boxes.published[row], ...others].map(nameOf);
  const text = `${box} ${names.join(" ")} ${boxes.files[boxes.image[row]]}`.toLowerCase();
  return (
    text.includes(filters.text) &&
    (!filters.kind || kindOf(row) === filters.kind || data.kinds[boxes.kind[row]] === filters.kind) &&
    (!filters.status || statusOf(box) === filters.status) &&
    (!filters.doubt || (filters.doubt === "label issue" ? boxes.issue[row] === 1 : (boxes.suspicions[box] ?? []).includes(filters.doubt))) &&
    (!filters.label || names[0] === filters.label) &&
    (filters.score === 0 || boxes.score[row] >= filters.score)
  );
}

function filterGallery() {
  galleryRows = candidates().filter(matches);
  showPage(0);
}

function showPage(page) {
  const pages = Math.max(1, Math.ceil(galleryRows.length / GALLERY_CARDS));
  galleryPage = Math.min(Math.max(page, 0), pages - 1);
  const start = galleryPage * GALLERY_CARDS;
  gallery.replaceChildren(...galleryRows.slice(start, start + GALLERY_CARDS).map(cardOf));
  const turn = (step) => () => {
    showPage(galleryPage + step);
    document.getElementById("review").scrollIntoView();
    gallery.querySelector(".card")?.focus({ preventScroll: true });
  };
  document.getElementById("gallery-note").textContent = `${plural(galleryRows.length, "box", "boxes")}${galleryRows.length ? `, showing ${start + 1} to ${Math.min(start + GALLERY_CARDS, galleryRows.length)}` : ""}.`;
  document.getElementById("gallery-pages").replaceChildren(
    make("button", { type: "button", class: "button", disabled: galleryPage === 0, onclick: turn(-1) }, "Previous"),
    make("span", {}, `Page ${galleryPage + 1} of ${pages}`),
    make("button", { type: "button", class: "button", disabled: galleryPage >= pages - 1, onclick: turn(1) }, "Next"),
  );
}

function choice(title, id, key, options) {
  const items = options.map(([value, text]) => make("option", { value }, text));
  return make(
    "label",
    {},
    title,
    make("select", { id, onchange: (event) => { filters[key] = event.target.value; filterGallery(); } }, items),
  );
}

function drawControls() {
  const find = make("input", { type: "search", id: "gallery-text", placeholder: "name, box or file", oninput: (event) => { filters.text = event.target.value.trim().toLowerCase(); filterGallery(); } });
  const controls = [make("label", {}, "Find", find)];
  if (data.labelled) {
    const kinds = [...new Set(data.ranked.flatMap((row) => [data.kinds[boxes.kind[row]], kindOf(row)]))].sort();
    const doubts = [...new Set(data.ranked.flatMap((row) => [...(boxes.issue[row] === 1 ? ["label issue"] : []), ...(boxes.suspicions[boxes.id[row]] ?? [])]))].sort();
    const labels = [...new Set(data.ranked.map((row) => nameOf(boxes.label[row])))].sort();
    const states = { open: "not yet reviewed", label: "label wrong", model: "model wrong", unclear: "unclear", applied: "applied", withdrawn: "withdrawn" };
    controls.push(
      choice("Kind", "gallery-kind", "kind", [["", "all"], ...kinds.map((kind) => [kind, kind])]),
      choice("Label", "gallery-label", "label", [["", "all"], ...labels.map((name) => [name, name])]),
      doubts.length ? choice("Mark", "gallery-doubt", "doubt", [["", "all"], ...doubts.map((name) => [name, name])]) : "",
      choice("State", "gallery-status", "status", [["", "all"], ...Object.entries(states)]),
    );
  }
  if (!data.models && boxes.score.some((score) => score >= 0)) {
    const output = make("output", {}, "0.00");
    controls.push(make("label", {}, "Score from", make("input", { type: "range", min: 0, max: 1000, step: 10, value: 0, id: "gallery-score", oninput: (event) => { filters.score = Number(event.target.value); output.textContent = (filters.score / 1000).toFixed(2); filterGallery(); } }), output));
  }
  document.getElementById("gallery-controls").replaceChildren(...controls);
}

gallery.addEventListener("keydown", onCardKey);
