// Search of the dictionary: keeps the columns whose name or description, or whose table's, holds every word.
(() => {
  const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const form = document.getElementById("buscar"), found = document.getElementById("hallado");
  const products = [...document.querySelectorAll(".product")].map(node => ({
    node, details: node.querySelector("details"),
    head: plain(node.querySelector("h3").textContent + " " + node.querySelector(".what").textContent),
    columns: [...node.querySelectorAll(".dictionary tbody tr")].map(row => ({row, text: plain(row.textContent)})),
  }));
  form.hidden = false;
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", () => {
    const words = plain(form.elements.palabra.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const product of products) {
      let here = 0;
      for (const {row, text} of product.columns) {
        row.hidden = !words.every(word => text.includes(word) || product.head.includes(word));
        here += !row.hidden;
      }
      product.node.hidden = !here;
      product.details.open = words.length > 0 && here > 0;
      count += here;
    }
    found.textContent = words.length ? found.dataset.text + " " + count : "";
  });
})();
