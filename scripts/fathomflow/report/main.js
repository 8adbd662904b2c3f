// The review bar, and the start of everything.
const bar = document.getElementById("review-bar");

// What is asked for is the first part of the ranking; a reader may go on as far as they like.
const reviewedAmong = (rows) => rows.filter((row) => markOf(boxes.id[row]) || appliedOfBox.has(boxes.id[row])).length;

function countVerdicts() {
  const counts = { label: 0, model: 0, unclear: 0, withdrawn: 0 };
  for (const mark of Object.values(review.marks)) counts[mark.verdict] += 1;
  return counts;
}

function refreshBar() {
  const counts = countVerdicts();
  const done = reviewedAmong(data.ranked.slice(0, data.goal));
  document.getElementById("review-progress").value = done;
  document.getElementById("review-state").textContent =
    `${done} of the first ${data.goal} reviewed, ${reviewedAmong(data.ranked)} of ${data.ranked.length} in all: ${counts.label} label wrong, ${counts.model} model wrong, ${counts.unclear} unclear` +
    `${data.applied.length ? `; ${plural(data.applied.length, "correction")} applied` : ""}.` +
    (kept ? " Kept in this browser." : " This browser keeps nothing: download before you close the tab.");
  const unready = Object.values(review.marks).filter((mark) => mark.verdict === "label" && !mark.newLabel).length;
  document.getElementById("review-warning").textContent = unready ? `${plural(unready, "box", "boxes")} marked “label wrong” without a new label will not be in the file.` : "";
}

function onDownload() {
  const reviewer = document.getElementById("reviewer");
  const message = document.getElementById("review-message");
  if (!review.reviewer && Object.values(review.marks).some((mark) => mark.verdict === "label" && !mark.reviewer)) {
    message.textContent = "Give your name first: the audit trail says who corrected what.";
    reviewer.focus();
    return;
  }
  const rows = mergedCorrections().length;
  download(`${data.split}.csv`, correctionsCsv());
  message.textContent = `${plural(rows, "correction")} written. Put the file at config/corrections/${data.split}.csv (the path that the configuration names) and run the workflow again.`;
}

async function onLoad(event) {
  const [file] = event.target.files;
  if (!file) return;
  const { taken, problems } = loadReview(await file.text());
  document.getElementById("review-message").textContent = [`${plural(taken, "row")} taken from ${file.name}.`, ...problems.slice(0, 5), problems.length > 5 ? `… and ${problems.length - 5} more` : ""].filter(Boolean).join(" ");
  event.target.value = "";
  showPage(galleryPage);
}

function drawBar() {
  const reviewer = make("input", { id: "reviewer", type: "text", autocomplete: "name", value: review.reviewer, placeholder: "your name", onchange: (event) => { review.reviewer = event.target.value.trim(); saveReview(null); } });
  const earlier = earlierMarks();
  const take = Object.keys(earlier).length
    ? make("button", { type: "button", class: "button", onclick: (event) => { Object.assign(review.marks, earlier); saveReview(null); event.target.remove(); showPage(galleryPage); } }, `Take up ${plural(Object.keys(earlier).length, "verdict")} from before the last rebuild`)
    : "";
  bar.replaceChildren(
    make("p", { class: "small", id: "review-state", role: "status" }),
    make("progress", { id: "review-progress", max: Math.max(1, data.goal), value: 0, "aria-label": "Disagreements reviewed" }),
    make(
      "div",
      { class: "review-row" },
      make("label", {}, "Reviewer", reviewer),
      make("button", { type: "button", class: "button main", id: "download-corrections", onclick: onDownload }, "Download corrections"),
      make("button", { type: "button", class: "button", id: "download-notes", onclick: () => download(`${data.split}.review.csv`, notesCsv()) }, "Download all verdicts"),
      make("label", {}, "Continue from a file", make("input", { type: "file", id: "load-review", accept: ".csv,text/csv", onchange: onLoad })),
      take,
    ),
    make("p", { class: "small", id: "review-warning" }),
    make("p", { class: "small", id: "review-message", role: "status" }),
    make("p", { class: "small" }, "On a card: ", make("kbd", {}, "1"), " label wrong, ", make("kbd", {}, "2"), " model wrong, ", make("kbd", {}, "3"), " unclear, ", make("kbd", {}, "0"), " clear, ", make("kbd", {}, "e"), " edit, ", make("kbd", {}, "j"), " and ", make("kbd", {}, "k"), " next and previous."),
  );
  refreshBar();
}

drawControls();
filterGallery();
if (data.labelled) {
  drawBar();
  onReview(refreshBar);
}
