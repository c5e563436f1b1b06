"use strict";
// Marks a trial wherever it is drawn or listed, while the pointer or the keyboard is on one of its places.
const bar = document.getElementById("marked");
const drawings = [...document.querySelectorAll(".drawing svg")];
const placesOf = new Map();
for (const place of document.querySelectorAll("[data-trial]")) {
  const trial = place.dataset.trial;
  if (!placesOf.has(trial)) placesOf.set(trial, []);
  placesOf.get(trial).push(place);
}
const names = new Map();
for (const row of document.querySelectorAll("table.sortable tr[data-trial]")) {
  row.tabIndex = names.size ? -1 : 0;  // the arrow keys lead from one to the next
  const value = row.cells[2] ? row.cells[2].textContent : "";
  names.set(row.dataset.trial, `${row.cells[0].textContent}   ${value}`);
}
let marked = null;
const mark = (trial) => {
  if (trial === marked) return;
  for (const place of placesOf.get(marked) || []) place.classList.remove("marked");
  marked = trial;
  const places = placesOf.get(marked) || [];
  const own = new Set(places.map((place) => place.ownerSVGElement));
  for (const drawing of drawings) drawing.classList.toggle("some-marked", own.has(drawing));
  for (const place of places) place.classList.add("marked");
  bar.hidden = trial === null;
  bar.textContent = trial === null ? "" : names.get(trial) || trial;
};
const trialOf = (element) => {
  const place = element && element.closest ? element.closest("[data-trial]") : null;
  return place ? place.dataset.trial : null;
};
const NEAR = [[0, 0], [0, 4], [0, -4], [4, 0], [-4, 0], [3, 3], [-3, -3], [3, -3], [-3, 3]];  // lines are thin
const trialNear = (event) => {
  if (!event.target.closest || !event.target.closest("svg")) return trialOf(event.target);
  for (const [x, y] of NEAR) {
    const trial = trialOf(document.elementFromPoint(event.clientX + x, event.clientY + y));
    if (trial !== null) return trial;
  }
  return null;
};
document.addEventListener("pointermove", (event) => mark(trialNear(event)));
document.addEventListener("focusin", (event) => mark(trialOf(event.target)));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") mark(null);
  const row = event.target.closest("table.sortable tr[data-trial]");
  const next = row && { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
  if (!next) return;
  event.preventDefault();
  row.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

// Sorts a table by a column: numbers by size, what is empty last.
const number = (text) => (text.trim() === "" ? NaN : Number(text));
for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const heading = button.parentElement, column = heading.cellIndex;
    const way = heading.ariaSort === "ascending" ? -1 : 1;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.ariaSort = way === 1 ? "ascending" : "descending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row.cells[column].textContent, row]);
    const filled = rows.filter(([text]) => text.trim() !== "");
    const numeric = filled.every(([text]) => !Number.isNaN(number(text)));
    filled.sort(([a], [b]) => way * (numeric ? number(a) - number(b) : a.localeCompare(b, undefined, { numeric: true })));
    body.append(...filled.map(([, row]) => row), ...rows.filter(([text]) => text.trim() === "").map(([, row]) => row));
  });
}

// A button that copies, beside each command.
for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const text = command.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // a file:// page in some browsers
      const range = document.createRange();
      range.selectNodeContents(command.querySelector("code"));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  command.append(button);
}
