// The page's data and the one way to make elements: text always goes in as text.
const readJson = (id) => JSON.parse(document.getElementById(id).textContent);
const data = readJson("data");
const pictures = readJson("pictures");
const boxes = data.boxes;
const categories = data.categories;
const rowOfBox = new Map(boxes.id.map((id, row) => [id, row]));
const codeOfName = new Map(categories.names.map((name, code) => [name, code]));
const rankOfRow = new Map(data.ranked.map((row, index) => [row, index + 1]));
const appliedOfBox = new Map(data.applied.map((correction) => [correction.annotation_id, correction]));
const nameOf = (code) => (code < 0 ? "" : categories.names[code]);

/** Make an element; attributes whose names start with "on" are listeners, true and false set and leave out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const asScore = (thousandths) => (thousandths / 1000).toFixed(3);

/** Say how the label and the prediction of a box stand to each other, or "" where they agree. */
function kindOf(row) {
  if (boxes.kind[row] < 0) return "";
  const rank = boxes.conflict[row] < 0 ? "" : categories.ranks[boxes.conflict[row]];
  const kind = data.kinds[boxes.kind[row]];
  return kind === "conflict" && rank ? `conflict at ${rank}` : kind;
}
