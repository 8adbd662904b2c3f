// A box as a card: pictures, names, lineages, verdict.
const frameUrl = (row) => pictures.frames[boxes.image[row]];

function pictureOf(row) {
  const crop = pictures.crops[boxes.id[row]];
  const frame = frameUrl(row);
  const file = boxes.files[boxes.image[row]];
  if (!crop && !frame) return make("p", { class: "nothing" }, `No picture in this file: ${file}`);
  const [left, top, width, height] = boxes.place.slice(4 * row, 4 * row + 4).map((value) => `${value / 10}%`);
  const enlarge = (event) => {
    const button = event.currentTarget;
    button.setAttribute("aria-pressed", String(button.closest(".card").classList.toggle("large")));
  };
  return make(
    "button",
    { type: "button", class: "pictures", "aria-pressed": "false", "aria-label": `Enlarge the pictures of box ${boxes.id[row]} on ${file}`, onclick: enlarge },
    crop ? make("img", { class: "crop", alt: `Box ${boxes.id[row]}`, src: `data:image/webp;base64,${crop}` }) : make("span", { class: "nothing" }, "outside the image"),
    frame
      ? make(
          "span",
          { class: "frame" },
          make("img", { alt: `${file}, with box ${boxes.id[row]} outlined`, src: `data:image/webp;base64,${frame}` }),
          make("span", { style: `left:${left};top:${top};width:${width};height:${height}` }),
        )
      : "",
  );
}

function namesOf(row) {
  const entries = [];
  const add = (title, name, css, detail) => {
    if (name) entries.push(make("dt", {}, title), make("dd", { class: css }, name, detail ? make("small", {}, ` ${detail}`) : ""));
  };
  const score = (value) => (value < 0 ? "" : asScore(value));
  add("Label", nameOf(boxes.label[row]), "label", boxes.labelScore[row] < 0 ? "" : `the model gives it ${asScore(boxes.labelScore[row])}`);
  if (boxes.published[row] !== boxes.label[row]) add("Published as", nameOf(boxes.published[row]) || "(no label)", "label");
  if (data.models) {
    for (const model of data.models) add(model.name, nameOf(model.prediction[row]), "prediction", model.prediction[row] === boxes.label[row] ? "as labelled" : "");
    return make("dl", { class: "names" }, entries);
  }
  add("Prediction", nameOf(boxes.prediction[row]), "prediction", score(boxes.score[row]));
  add("Runner-up", nameOf(boxes.runner[row]), "", score(boxes.runnerScore[row]));
  return make("dl", { class: "names" }, entries);
}

function lineagesOf(row) {
  if (boxes.kind[row] < 0) return "";
  const label = categories.lineages[boxes.label[row]];
  const prediction = categories.lineages[boxes.prediction[row]];
  const lines = categories.ranks.map((rank, i) => {
    if (!label[i] && !prediction[i]) return null;
    const css = label[i] !== prediction[i] ? "apart" : "";
    return make("tr", {}, make("th", { scope: "row" }, rank), make("td", { class: css }, label[i] || "–"), make("td", { class: css }, prediction[i] || "–"));
  });
  const last = categories.ranks.findLastIndex((rank, i) => label[i] && label[i] === prediction[i]);
  const head = ["Rank", "Label", "Prediction"].map((name) => make("th", { scope: "col" }, name));
  return make(
    "details",
    { class: "lineages", open: true },
    make("summary", {}, `Lineages: ${last < 0 ? "nothing shared" : `shared down to ${categories.ranks[last]} ${label[last]}`}; distance ${boxes.distance[row]}`),
    make("table", {}, make("thead", {}, make("tr", {}, head)), make("tbody", {}, lines)),
  );
}

function labelChoice(box, row, mark) {
  const options = categories.names
    .slice(0, categories.known)
    .map((name) => name)
    .sort((a, b) => a.localeCompare(b, "en"))
    .map((name) => make("option", { value: name, selected: name === mark.newLabel }, name));
  const choose = make("option", { value: "", selected: mark.newLabel === "" }, "choose …");
  return make("label", {}, "New label", make("select", { class: "new-label", onchange: (event) => changeMark(box, { newLabel: event.target.value }) }, choose, options));
}

function verdictsOf(row) {
  const box = boxes.id[row];
  const mark = markOf(box);
  const applied = appliedOfBox.get(box);
  const choices = { label: "1", model: "2", unclear: "3" };
  const buttons = Object.entries(choices).map(([verdict, key]) =>
    make(
      "button",
      { type: "button", class: "button", "data-verdict": verdict, "aria-pressed": String(mark?.verdict === verdict), "aria-keyshortcuts": key, onclick: () => setVerdict(box, verdict) },
      VERDICTS[verdict],
      make("kbd", { "aria-hidden": "true" }, key),
    ),
  );
  if (applied)
    buttons.push(
      make("button", { type: "button", class: "button", "data-verdict": "withdrawn", "aria-pressed": String(mark?.verdict === "withdrawn"), onclick: () => setVerdict(box, "withdrawn") }, "Withdraw the correction"),
    );
  const note = applied
    ? make("p", { class: "applied-note" }, `Applied: ${applied.old_label || "(no label)"} → ${applied.new_label}. ${applied.reason} (${applied.reviewer}, ${applied.date})`)
    : "";
  const fields =
    mark && mark.verdict !== "withdrawn"
      ? make(
          "div",
          { class: "verdict-fields" },
          mark.verdict === "label" ? labelChoice(box, row, mark) : "",
          make("label", {}, "Reason", make("input", { class: "reason", type: "text", value: mark.reason, placeholder: mark.verdict === "label" ? defaultReason(mark, row) : "why", onchange: (event) => changeMark(box, { reason: event.target.value }) })),
        )
      : "";
  return make("fieldset", { class: "verdicts" }, make("legend", {}, `Your verdict on box ${box}`), note, make("div", { class: "verdict-row" }, buttons), fields);
}

/** Make the card of a box; it redraws its verdict itself. */
function cardOf(row) {
  const box = boxes.id[row];
  const kind = kindOf(row);
  const rank = rankOfRow.get(row);
  const doubts = [...(boxes.suspicions[box] ?? [])];
  if (boxes.issue[row] === 1) doubts.unshift("label issue");
  const chip = kind ? make("span", { class: `chip kind-${data.kinds[boxes.kind[row]].replaceAll(" ", "-")}` }, kind) : "";
  const card = make(
    "article",
    { class: "card", tabindex: "0", "data-box": box, "aria-label": `Box ${box}${kind ? `, ${kind}` : ""}` },
    make("div", { class: "card-head" }, make("h3", {}, rank ? `${rank}. Box ${box}` : `Box ${box}`), make("span", { class: "chips" }, chip, doubts.map((doubt) => make("span", { class: "chip doubt" }, doubt)))),
    pictureOf(row),
    namesOf(row),
    lineagesOf(row),
  );
  if (data.labelled) {
    card.append(verdictsOf(row));
    card.classList.toggle("marked", Boolean(markOf(box)));
  }
  return card;
}

function refreshCard(card) {
  const box = Number(card.dataset.box);
  const old = card.querySelector(".verdicts");
  const pressed = document.activeElement?.dataset?.verdict;
  const inside = old?.contains(document.activeElement);
  old?.replaceWith(verdictsOf(rowOfBox.get(box)));
  card.classList.toggle("marked", Boolean(markOf(box)));
  if (inside) (pressed ? card.querySelector(`[data-verdict="${pressed}"]`) : card)?.focus({ preventScroll: true });
}

onReview((box) => {
  if (box === null) return;
  for (const card of document.querySelectorAll(`.card[data-box="${box}"]`)) refreshCard(card);
});

/** Keys on a card: 1, 2, 3 verdicts, 0 none, e the reason, arrows or j and k the next and previous card. */
function onCardKey(event) {
  const card = event.target.closest(".card");
  if (!card || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const box = Number(card.dataset.box);
  const verdict = { 1: "label", 2: "model", 3: "unclear" }[event.key];
  const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
  if (verdict && data.labelled) setVerdict(box, verdict);
  else if (event.key === "0") clearVerdict(box);
  else if (event.key === "e") (card.querySelector(".new-label") ?? card.querySelector(".reason"))?.focus();
  else if (step) {
    const cards = [...card.parentElement.children];
    cards[cards.indexOf(card) + step]?.focus();
  } else return;
  event.preventDefault();
}
