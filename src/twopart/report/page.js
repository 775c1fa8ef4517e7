// Draws every figure with the specification beside it. Its colours become CSS variables, so charts follow the colour scheme.
"use strict";
const read = (id, reviver) => JSON.parse(document.getElementById(id).textContent, reviver);
const variables = new Map(Object.entries(read("colours")));
const themed = (key, value) => variables.get(value) ?? value;
const options = { renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

// A figure is laid out by the width of its text, so the font has to be there first.
const fonts = Promise.all([400, 600].map((weight) => document.fonts.load(`${weight} 12px "Twopart Sans"`)));

for (const figure of document.querySelectorAll("figure")) {
  const place = figure.querySelector(".chart");
  fonts.then(() => vegaEmbed(place, read(`${figure.id}-spec`, themed), options))
    .catch((error) => {
      place.textContent = `This figure could not be drawn: ${error.message}`;
      console.error(error);
    })
    .finally(() => figure.setAttribute("data-drawn", ""));
}
