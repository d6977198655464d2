// Draws a chart anew with Vega once its button is pressed. Nothing is loaded before; what is loaded is of this release.
(() => {
  const {root, charts} = document.currentScript.dataset;
  const load = name => new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = root + "interactive/" + name;
    script.onload = done;
    script.onerror = failed;
    document.head.append(script);
  });
  let loaded;
  const draw = async button => {
    loaded ??= Promise.all([load("vega.js"), load(charts)]);
    await loaded;
    const still = button.previousElementSibling.querySelector("svg");
    const shown = document.createElement("div"), chart = document.createElement("div");
    const options = {actions: false, renderer: "svg", formatLocale: window.antawasi.locale};
    await window.vegaEmbed(chart, window.antawasi.charts[button.dataset.chart], options);
    shown.className = "interactive";
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", still.getAttribute("aria-label"));
    shown.append(chart);
    if (button.dataset.watermark) {
      const mark = document.createElement("span");
      mark.className = "watermark";
      mark.textContent = button.dataset.watermark;
      shown.append(mark);
    }
    still.replaceWith(shown);
    button.remove();
  };
  for (const button of document.querySelectorAll("button[data-chart]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.disabled = true;
      draw(button).catch(() => {
        loaded = undefined;
        button.disabled = false;
        button.textContent = button.dataset.failed;
      });
    });
  }
})();
