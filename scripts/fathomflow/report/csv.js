// CSV as the workflow reads and writes it: commas, quotes where needed, \n.
const csvField = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
const writeCsv = (rows) => rows.map((row) => row.map((value) => csvField(String(value))).join(",") + "\n").join("");

/** Parse CSV text into rows of fields. */
function parseCsv(text) {
  const rows = [];
  let row = [];
  let field = "";
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === "," || character === "\n") {
      row.push(field);
      field = "";
      if (character === "\n") {
        rows.push(row);
        row = [];
      }
    } else if (character !== "\r") field += character;
  }
  if (field !== "" || row.length) rows.push([...row, field]);
  return rows.filter((fields) => fields.some((value) => value !== ""));
}

/** Parse CSV text with a header into objects. */
function parseTable(text) {
  const [header, ...rows] = parseCsv(text.replace(/^\ufeff/, ""));
  if (!header) return [];
  return rows.map((fields) => Object.fromEntries(header.map((name, i) => [name.trim(), fields[i] ?? ""])));
}

/** Hand a text to the reader as a file. */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = make("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
