// Tables that sort by a click on a heading and filter as one types.
function sortRows(table, column, ascending) {
  const body = table.tBodies[0];
  const value = (row) => {
    const cell = row.cells[column];
    const text = cell.dataset.sort ?? cell.textContent.trim();
    return cell.dataset.sort !== undefined && text !== "" ? Number(text) : text;
  };
  const compare = (a, b) => {
    // What is undefined comes last, whichever way the others go.
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
    return ascending ? order : -order;
  };
  const rows = [...body.rows].map((row) => [value(row), row]);
  body.append(...rows.sort((a, b) => compare(a[0], b[0])).map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const name = heading.textContent;
    const button = make("button", { type: "button" }, name);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = table.tBodies[0].rows[0]?.cells[column].classList.contains("number");
      const now = heading.getAttribute("aria-sort");
      const ascending = now ? now === "descending" : !numeric;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortRows(table, column, ascending);
    });
  });
}

for (const input of document.querySelectorAll("input[data-filter]")) {
  const table = document.getElementById(input.dataset.filter);
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
  });
}
