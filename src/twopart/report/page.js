// Draws every figure with the specification beside it. Its colours become CSS variables, so charts follow the colour scheme.
"use strict";
const read = (id, reviver) => JSON.parse(document.getElementById(id).textContent, reviver);
const variables = new Map(Object.entries(read("colours")));
const themed = (key, value) => variables.get(value) ?? value;
const options = { renderer: "svg", actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true } };

for (const figure of document.querySelectorAll("figure")) {
  const place = figure.querySelector(".chart");
  vegaEmbed(place, read(`${figure.id}-spec`, themed), options)
    .catch((error) => {
      place.textContent = `This figure could not be drawn: ${error.message}`;
      console.error(error);
    })
    .finally(() => figure.setAttribute("data-drawn", ""));
}
