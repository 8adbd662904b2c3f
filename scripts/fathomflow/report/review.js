// The reader's verdicts: kept in this browser, under a name that holds what they are about.
const VERDICTS = { label: "Label wrong", model: "Model wrong", unclear: "Unclear", withdrawn: "Withdrawn" };
const CORRECTION_COLUMNS = ["annotation_id", "old_label", "new_label", "reason", "reviewer", "date"];
const NOTE_COLUMNS = ["annotation_id", "verdict", "label", "new_label", "reason", "reviewer", "date"];
const storePrefix = `fathomflow:${data.study}:${data.split}:${data.model}:`;
const storeKey = storePrefix + data.content;
const listeners = [];

function readStore(key) {
  try {
    const state = JSON.parse(localStorage.getItem(key) ?? "null");
    return state && typeof state.marks === "object" ? state : null;
  } catch {
    return null;
  }
}

const review = readStore(storeKey) ?? { reviewer: "", marks: {} };
let kept = true;

/** Keep the state and tell whoever shows it; `box` is the one that changed, null for many. */
function saveReview(box = null) {
  try {
    localStorage.setItem(storeKey, JSON.stringify(review));
    kept = true;
  } catch {
    kept = false;
  }
  for (const listener of listeners) listener(box);
}

const onReview = (listener) => listeners.push(listener);
const markOf = (box) => review.marks[box] ?? null;

function today() {
  const now = new Date();
  const pad = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
}

/** Set the verdict on a box; the same verdict again takes it away. */
function setVerdict(box, verdict) {
  const row = rowOfBox.get(box);
  const mark = markOf(box);
  if (mark?.verdict === verdict) delete review.marks[box];
  else {
    const prediction = nameOf(boxes.prediction[row]);
    review.marks[box] = {
      verdict,
      label: nameOf(boxes.label[row]),
      newLabel: verdict === "label" && boxes.prediction[row] < categories.known ? prediction : "",
      reason: mark?.reason ?? "",
      reviewer: review.reviewer,
      date: today(),
    };
  }
  saveReview(box);
}

function clearVerdict(box) {
  delete review.marks[box];
  saveReview(box);
}

function changeMark(box, change) {
  Object.assign(review.marks[box], change, { reviewer: review.reviewer || review.marks[box].reviewer, date: today() });
  saveReview(null);
}

const defaultReason = (mark, row) =>
  mark.newLabel === nameOf(boxes.prediction[row]) ? "prediction confirmed on review" : "relabelled on review";

/** All corrections as they would stand: those applied, with the reader's changes over them. */
function mergedCorrections() {
  const rows = new Map();
  for (const applied of data.applied) rows.set(applied.annotation_id, CORRECTION_COLUMNS.map((name) => applied[name]));
  for (const [key, mark] of Object.entries(review.marks)) {
    const box = Number(key);
    const row = rowOfBox.get(box);
    if (row === undefined) continue;
    const published = nameOf(boxes.published[row]);
    if (mark.verdict === "withdrawn" || (mark.verdict === "label" && mark.newLabel === published)) rows.delete(box);
    else if (mark.verdict === "label" && mark.newLabel)
      rows.set(box, [box, published, mark.newLabel, mark.reason || defaultReason(mark, row), mark.reviewer || review.reviewer, mark.date]);
  }
  return [...rows.values()].sort((a, b) => a[0] - b[0]);
}

const correctionsCsv = () => writeCsv([CORRECTION_COLUMNS, ...mergedCorrections()]);

/** Every verdict, also those that correct nothing, to go on elsewhere. */
function notesCsv() {
  const rows = Object.entries(review.marks)
    .map(([box, mark]) => [Number(box), mark.verdict, mark.label, mark.newLabel, mark.reason, mark.reviewer || review.reviewer, mark.date])
    .sort((a, b) => a[0] - b[0]);
  return writeCsv([NOTE_COLUMNS, ...rows]);
}

/** Take up a corrections file or review notes; returns how many rows were taken and what was wrong with the others. */
function loadReview(text) {
  const rows = parseTable(text);
  const problems = [];
  let taken = 0;
  rows.forEach((entry, index) => {
    const where = `row ${index + 2}: `;
    const box = Number(entry.annotation_id);
    const row = rowOfBox.get(box);
    const verdict = entry.verdict ?? "label";
    const old = entry.old_label ?? entry.label;
    if (row === undefined) problems.push(`${where}no box ${entry.annotation_id} in this report`);
    else if (!(verdict in VERDICTS)) problems.push(`${where}no verdict ${verdict}`);
    else if (verdict === "label" && !(codeOfName.get(entry.new_label) < categories.known)) problems.push(`${where}no category ${entry.new_label}`);
    else if (old !== nameOf(boxes.published[row]) && old !== nameOf(boxes.label[row])) problems.push(`${where}box ${box} is labelled ${nameOf(boxes.published[row])}, not ${old}`);
    else {
      taken += 1;
      const applied = appliedOfBox.get(box);
      if (verdict === "label" && applied?.new_label === entry.new_label) return;
      review.marks[box] = { verdict, label: nameOf(boxes.label[row]), newLabel: entry.new_label, reason: entry.reason ?? "", reviewer: entry.reviewer ?? "", date: entry.date || today() };
    }
  });
  saveReview(null);
  return { taken, problems };
}

/** Marks that an earlier version of this report left in this browser and that still fit their boxes. */
function earlierMarks() {
  const found = {};
  try {
    for (let i = 0; i < localStorage.length; i += 1) {
      const key = localStorage.key(i);
      if (key === storeKey || !key.startsWith(storePrefix)) continue;
      for (const [box, mark] of Object.entries(readStore(key)?.marks ?? {})) {
        const row = rowOfBox.get(Number(box));
        if (row !== undefined && nameOf(boxes.label[row]) === mark.label && !markOf(Number(box))) found[box] = mark;
      }
    }
  } catch {
    return {};
  }
  return found;
}
