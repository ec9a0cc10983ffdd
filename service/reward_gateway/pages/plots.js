// Charts over uPlot, for the reports, which carry this file, and the console, which loads it.
const narrow = () => innerWidth < 560;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const minus = (text) => text.replace("-", "−");
const percent = (value) => minus(`${+(100 * value).toFixed(1)}%`);
const plain = (value) => minus(String(+value.toPrecision(4)));

// Intervals: a thin line through each point, drawn above the series.
function drawIntervals(plot, series) {
  const { ctx } = plot;
  series.forEach((one) => {
    if (!one.low.length || one.kind === "curve") return;
    ctx.save();
    ctx.strokeStyle = colour(one.colour);
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([]);
    ctx.beginPath();
    one.x.forEach((x, i) => {
      if (one.low[i] === null || one.y[i] === null) return;
      const left = plot.valToPos(x, "x", true);
      ctx.moveTo(left, plot.valToPos(one.low[i], "y", true));
      ctx.lineTo(left, plot.valToPos(one.high[i], "y", true));
    });
    ctx.stroke();
    ctx.restore();
  });
}

// Bands: the space between low and high, below the series; a missing end is a gap.
function drawBands(plot, series) {
  const { ctx } = plot;
  series.forEach((one) => {
    if (!one.low.length || one.kind !== "curve") return;
    ctx.save();
    ctx.fillStyle = `${colour(one.colour)}26`;
    let start = 0;
    for (let i = 0; i <= one.x.length; i++) {
      if (i < one.x.length && one.low[i] !== null) continue;
      const part = one.x.slice(start, i).map((_, k) => start + k);
      const at = (ends) => (k) => [plot.valToPos(one.x[k], "x", true), plot.valToPos(ends[k], "y", true)];
      ctx.beginPath();
      part.map(at(one.high)).concat(part.map(at(one.low)).reverse()).forEach(([x, y]) => ctx.lineTo(x, y));
      ctx.fill();
      start = i + 1;
    }
    ctx.restore();
  });
}

// Marks: vertical lines with a word at the top.
function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  marks.forEach(([x, text]) => {
    const left = plot.valToPos(x, "x", true);
    if (left < bbox.left || left > bbox.left + bbox.width) return;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("soft");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = left > bbox.left + bbox.width / 2 ? "right" : "left";
    ctx.fillText(text, left + (ctx.textAlign === "left" ? 4 : -4) * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
    ctx.restore();
  });
}

// Points whose area goes with what they stand for.
function drawPoints(plot, series) {
  const { ctx } = plot;
  series.forEach((one) => {
    if (one.kind !== "points" && one.kind !== "dots") return;
    const most = Math.max(...one.sizes, 1);
    ctx.save();
    ctx.fillStyle = colour(one.colour);
    one.x.forEach((x, i) => {
      if (one.y[i] === null) return;
      const radius = (one.sizes.length ? 2.5 + 5.5 * Math.sqrt(one.sizes[i] / most) : 4) * devicePixelRatio;
      ctx.beginPath();
      ctx.arc(plot.valToPos(x, "x", true), plot.valToPos(one.y[i], "y", true), radius, 0, 2 * Math.PI);
      ctx.fill();
    });
    ctx.restore();
  });
}

function describe(one) {
  const stroke = colour(one.colour);
  const described = { label: one.label, class: one.label ? "named" : "quiet", stroke, spanGaps: true, points: { show: false } };
  if (one.kind === "points") return { ...described, width: 1 };
  if (one.kind === "dots") return { ...described, width: 0, paths: () => null };
  if (one.kind === "curve") return { ...described, width: 2, spanGaps: false, points: { show: one.x.length < 60, size: 5 } };
  if (one.kind === "line") return { ...described, width: 1, dash: [4, 4] };
  const dash = one.colour === "rejected" ? [6, 3] : undefined;
  return { ...described, width: 2, dash, fill: `${stroke}26`, paths: uPlot.paths.stepped({ align: 1 }) };
}

export const size = (place, chart) => ({ width: place.clientWidth, height: narrow() ? 260 : chart.height });

// Draws a chart, as charts.py describes it, in the element of its id; gives the plot.
export function draw(chart) {
  const place = document.getElementById(chart.id);
  place.replaceChildren();
  const ink = colour("soft"), line = colour("line");
  const said = { x: chart.percent.includes("x") ? percent : plain, y: chart.percent.includes("y") ? percent : plain };
  const tables = chart.series.map((one) => [one.x, one.kind === "steps" ? [...one.y, one.y.at(-1)] : one.y]);
  const axis = (scale, label, size) => ({
    ...(!(chart.time && scale === "x") && {
      values: (_, values) => values.map((value) => (value === null ? "" : said[scale](value))),
    }),
    scale, label, stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, size,
    font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 20,
  });
  const shown = (scale) => (_, value) => (value === null || value === undefined ? "" : said[scale](value));
  return new uPlot(
    {
      ...size(place, chart),
      scales: {
        x: { time: chart.time, ...(chart.x_range && { range: () => chart.x_range }) },
        y: chart.y_range ? { range: () => chart.y_range } : {},
      },
      axes: [axis("x", chart.x, 34), axis("y", chart.y, 50)],
      series: [
        { label: "at", ...(!chart.time && { class: "quiet" }) },
        ...chart.series.map((one) => ({ ...describe(one), value: shown("y") })),
      ],
      cursor: { drag: { x: false, y: false }, points: { size: 8 } },
      hooks: {
        drawAxes: [(u) => drawBands(u, chart.series)],
        draw: [(u) => { drawMarks(u, chart.marks); drawIntervals(u, chart.series); drawPoints(u, chart.series); }],
      },
    },
    uPlot.join(tables),
    place,
  );
}
