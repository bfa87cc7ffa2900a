// Small habits of all pages of the desk. Every page works without this file.
(function () {
  "use strict";

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
    }
  });

  // A table with data-chart="line" or "bar" is drawn above itself: first column the labels, each other a line.
  const charts = [];
  function draw(table) {
    if (!window.Chart || table.dataset.drawn) return;
    table.dataset.drawn = "yes";
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--desk-quiet").trim();
    const colours = ["--desk-accent", "--desk-second", "--desk-third", "--desk-fourth"].map((name) =>
      style.getPropertyValue(name).trim(),
    );
    const heads = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
    const rows = [...table.tBodies[0].rows];
    const number = (cell) => (cell.dataset.value === undefined ? null : Number(cell.dataset.value));
    const box = document.createElement("div");
    box.className = "chart";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", (table.caption ? table.caption.textContent.trim() : "Chart") + ", the table below has its figures");
    box.append(canvas);
    (table.closest("details") || table.closest(".table-responsive") || table).before(box);
    charts.push([table, box, new Chart(canvas, {
      type: table.dataset.chart,
      data: {
        labels: rows.map((row) => row.cells[0].textContent.trim()),
        datasets: heads.map((label, index) => ({
          label,
          data: rows.map((row) => number(row.cells[index + 1])),
          borderColor: colours[index % colours.length],
          backgroundColor: colours[index % colours.length],
          borderDash: index % 2 ? [5, 4] : [],
          borderWidth: 2,
          pointRadius: 0,
          pointHitRadius: 12,
          tension: 0.2,
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: { ticks: { color: ink, maxTicksLimit: 8, maxRotation: 0 }, grid: { display: false } },
          y: { beginAtZero: true, ticks: { color: ink, maxTicksLimit: 5, precision: "whole" in table.dataset ? 0 : undefined }, grid: { color: "rgba(128,128,128,.2)" } },
        },
        plugins: { legend: { display: heads.length > 1, labels: { color: ink, boxWidth: 24, boxHeight: 2 } } },
      },
    })]);
  }
  // Their colours are those of the theme in which they were drawn.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [table, box, chart] of charts.splice(0)) {
      chart.destroy();
      box.remove();
      delete table.dataset.drawn;
      draw(table);
    }
  });
  function drawAll() {
    for (const table of document.querySelectorAll("table[data-chart]")) draw(table);
  }
  if (document.readyState === "complete") drawAll();
  else addEventListener("load", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
})();
