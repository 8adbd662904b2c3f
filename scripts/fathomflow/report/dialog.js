// The boxes behind a cell, in a dialog.
const dialog = document.getElementById("boxes-dialog");
const DIALOG_CARDS = 24;

function openBoxes(title, rows) {
  const body = document.getElementById("dialog-body");
  document.getElementById("dialog-title").textContent = title;
  const cards = make("div", { class: "cards" });
  const more = make("button", { type: "button", class: "button", onclick: () => show() });
  const pages = make("div", { class: "pages" }, more);
  let shown = 0;
  const show = () => {
    cards.append(...rows.slice(shown, shown + DIALOG_CARDS).map(cardOf));
    shown = Math.min(shown + DIALOG_CARDS, rows.length);
    more.textContent = `Show more (${rows.length - shown} left)`;
    pages.hidden = shown === rows.length;
  };
  show();
  body.replaceChildren(cards, pages);
  dialog.showModal();
  document.getElementById("dialog-close").focus();
}

document.getElementById("dialog-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());
dialog.addEventListener("keydown", onCardKey);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-boxes], button[data-label]");
  if (!button) return;
  const { boxes: listed, label, prediction } = button.dataset;
  if (listed !== undefined) {
    const rows = listed.split(" ").map((box) => rowOfBox.get(Number(box)));
    openBoxes(rows.length === 1 ? `Box ${listed}` : `Boxes ${listed}`, rows);
  } else {
    const codes = [codeOfName.get(label), codeOfName.get(prediction)];
    const rows = [...boxes.id.keys()].filter((row) => boxes.label[row] === codes[0] && boxes.prediction[row] === codes[1]);
    openBoxes(`${label} predicted as ${prediction}: ${plural(rows.length, "box", "boxes")}`, rows);
  }
});
