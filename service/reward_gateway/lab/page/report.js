// The charts of a report; plots.js stands before this.
const charts = JSON.parse(document.getElementById("charts").textContent);
let plots = [];
const drawAll = () => {
  plots.forEach((plot) => plot.destroy());
  plots = charts.map(draw);
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
charts.forEach((chart, i) => {
  const place = document.getElementById(chart.id);
  const fit = () => plots[i].width === place.clientWidth || plots[i].setSize(size(place, chart));
  new ResizeObserver(() => requestAnimationFrame(fit)).observe(place);
});
