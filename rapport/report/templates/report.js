"use strict";
// Draws the charts, folds the numbers under each, and finds names. Names come from strangers: they are set as text, never as HTML.

for (const data of document.querySelectorAll("figure > script[type='application/json']")) {
  const options = {
    ast: true, // expressions are interpreted: pages forbid eval
    actions: false,
    defaultStyle: false,
    renderer: "svg",
    tooltip: { disableDefaultStyle: true, theme: "paper", anchor: "position" },
  };
  const chart = data.previousElementSibling;
  const numbers = data.nextElementSibling;
  vegaEmbed(chart, JSON.parse(data.textContent), options).then(
    () => { numbers.open = false; },
    (error) => {
      chart.textContent = "This chart could not be drawn; its numbers stand below.";
      console.error(String(error));
    },
  );
}

const search = document.querySelector("search");
const field = search.querySelector("input");
const list = search.querySelector("ul");
const root = document.body.dataset.root;
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
search.hidden = false;

function loadNames() {
  const script = document.createElement("script");
  script.src = `${root}assets/names.js`;
  script.onload = find;
  document.head.append(script);
}

function find() {
  const asked = plain(field.value.trim());
  const names = window.rapportNames || [];
  const found = asked ? names.filter(([name]) => plain(name).includes(asked)).slice(0, 10) : [];
  list.replaceChildren(
    ...found.map(([name, kind, path]) => {
      const line = document.createElement("li");
      const link = document.createElement("a");
      const note = document.createElement("span");
      link.href = root + path;
      link.textContent = name;
      note.textContent = kind;
      link.append(note);
      line.append(link);
      return line;
    }),
  );
  if (asked && !found.length) list.textContent = "Nobody of that name has a page.";
  list.classList.toggle("open", Boolean(asked));
}

field.addEventListener("focus", loadNames, { once: true });
field.addEventListener("input", find);
field.addEventListener("keydown", (event) => {
  const first = list.querySelector("a");
  if (event.key === "Enter" && first) first.click();
  if (event.key === "Escape") {
    field.value = "";
    find();
  }
});
