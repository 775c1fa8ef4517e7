// Draws every figure with the specification beside it. Its colours become CSS variables, so charts follow the colour scheme.
"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const variables = new Map(Object.entries(read("colours")));
// A scale that goes from colour to colour has to know them as numbers and keeps its own.
const themed = (part) => {
  if (part === null || typeof part !== "object") return variables.get(part) ?? part;
  if (Array.isArray(part)) return part.map(themed);
  if ("range" in part && "interpolate" in part) return part;
  return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, themed(value)]));
};
const options = { renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

// A figure is laid out by the width of its text, so the font has to be there first.
const fonts = Promise.all([400, 600].map((weight) => document.fonts.load(`${weight} 12px "Twopart Sans"`)));

for (const figure of document.querySelectorAll("figure")) {
  const place = figure.querySelector(".chart");
  fonts.then(() => vegaEmbed(place, themed(read(`${figure.id}-spec`)), options))
    .catch((error) => {
      place.textContent = `This figure could not be drawn: ${error.message}`;
      console.error(error);
    })
    .finally(() => figure.setAttribute("data-drawn", ""));
}
