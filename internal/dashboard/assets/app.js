// Turns times into the reader's own, keeps the overview live, and draws its chart. Nothing here is needed to read a
// page: without it the pages show what was true when they were made.
"use strict";

(() => {
  const lang = document.documentElement.lang;
  const day = new Intl.DateTimeFormat(lang === "fr" ? "fr-CA" : "en-CA", { dateStyle: "medium", timeStyle: "short" });
  const full = new Intl.DateTimeFormat(lang === "fr" ? "fr-CA" : "en-CA", { dateStyle: "full", timeStyle: "long" });
  const clock = new Intl.DateTimeFormat(lang === "fr" ? "fr-CA" : "en-CA", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });

  function ago(at, now) {
    const s = Math.round((at - now) / 1000), abs = Math.abs(s);
    if (abs < 60) return relative.format(s, "second");
    if (abs < 3600) return relative.format(Math.trunc(s / 60), "minute");
    if (abs < 86400) return relative.format(Math.trunc(s / 3600), "hour");
    return day.format(at);
  }

  function exact(at, now) { return at.toDateString() === now.toDateString() ? clock.format(at) : day.format(at); }

  function tellTimes(root) {
    const now = new Date();
    for (const el of root.querySelectorAll("time[datetime]")) {
      const at = new Date(el.dateTime);
      if (isNaN(at)) continue;
      el.textContent = "exact" in el.dataset ? exact(at, now) : ago(at, now);
      el.title = full.format(at);
    }
  }

  tellTimes(document);
  setInterval(() => { if (!document.hidden) tellTimes(document); }, 10000);

  const live = document.querySelector("[data-live]");
  if (!live) return;

  // The chart: bars of cost on the left scale, a line of calls on the right one.
  const box = document.getElementById("chart");
  let chart = null, shown = "", data = JSON.parse(box.dataset.chart);

  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function draw() {
    if (typeof uPlot === "undefined") return;
    if (chart) chart.destroy();
    const ink = colour("--dim"), grid = { stroke: colour("--line"), width: 1 };
    const number = new Intl.NumberFormat(lang, { maximumSignificantDigits: 3 });
    const label = new Intl.DateTimeFormat(lang === "fr" ? "fr-CA" : "en-CA", { day: "numeric", month: "short", timeZone: "UTC" });
    const font = "12px system-ui, sans-serif";
    chart = new uPlot({
      width: box.clientWidth, height: box.clientHeight - 34, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { range: (u, min, max) => [min - 43200, max + 43200] }, y: { range: (u, min, max) => [0, (max || 1) * 1.1] }, calls: { range: (u, min, max) => [0, (max || 1) * 1.1] } },
      series: [
        { label: box.dataset.day, value: (u, v) => v == null ? "" : label.format(v * 1000) },
        { label: box.dataset.cost, fill: colour("--chart-cost"), width: 0, paths: uPlot.paths.bars({ size: [0.55, 46], radius: 0.15 }), points: { show: false }, value: (u, v) => v == null ? "" : number.format(v) + " " + data.currency },
        { label: box.dataset.calls, scale: "calls", stroke: colour("--chart-calls"), width: 2, points: { size: 6, fill: colour("--card") }, value: (u, v) => v == null ? "" : number.format(v) },
      ],
      axes: [
        { stroke: ink, size: 30, grid: { show: false }, font, ticks: { show: false }, values: (u, all) => all.map((v) => label.format(v * 1000)), incrs: [86400, 172800, 604800], space: 56 },
        { stroke: ink, grid, font, size: 72, ticks: { show: false }, values: (u, all) => all.map((v) => number.format(v)) },
        { stroke: ink, scale: "calls", side: 1, grid: { show: false }, font, size: 56, ticks: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000, 10000000], values: (u, all) => all.map((v) => number.format(v)) },
      ],
    }, columns(data), box);
  }

  function columns(d) { return [d.days.map((s) => Date.parse(s + "T00:00:00Z") / 1000), d.cost, d.calls]; }

  draw();
  new ResizeObserver(() => { if (chart && box.clientWidth > 0 && chart.width !== box.clientWidth) draw(); }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // Live: the sections come made; only those that changed are put in, and the keyboard keeps its place.
  const status = document.getElementById("live");
  const sections = new Map();
  for (const el of document.querySelectorAll("[data-section]")) sections.set(el.dataset.section, { el, html: null });
  let last = new Date(), timer = 0, asking = false;

  function say(kind) {
    status.className = "live " + (kind === "ok" ? "on" : kind === "lost" ? "off" : "");
    const text = status.dataset[kind].replace("%s", clock.format(last));
    if (status.textContent !== text) status.textContent = text;
  }

  function put(section, html) {
    if (section.html === html) return;
    const el = section.el, active = el.contains(document.activeElement) ? document.activeElement : null;
    const open = [...el.querySelectorAll("details")].map((d) => d.open);
    const links = [...el.querySelectorAll("a, summary")], place = links.indexOf(active), href = active && active.getAttribute("href");
    el.innerHTML = html;
    section.html = html;
    el.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
    tellTimes(el);
    if (active) {
      const now = [...el.querySelectorAll("a, summary")];
      (now.find((a) => href && a.getAttribute("href") === href) || now[place] || document.getElementById("main")).focus({ preventScroll: true });
    }
  }

  async function ask() {
    if (asking) return;
    asking = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(live.dataset.live, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const o = await answer.json();
      for (const [name, html] of Object.entries(o.html)) if (sections.has(name)) put(sections.get(name), html);
      const drawn = JSON.stringify(o.chart);
      if (drawn !== shown) {
        shown = drawn;
        data = o.chart;
        if (chart) chart.setData(columns(data));
      }
      last = new Date(o.at);
      say("ok");
    } catch {
      say("lost");
    } finally {
      asking = false;
      if (!document.hidden) timer = setTimeout(ask, 2000);
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) say("paused"); else ask();
  });
  ask();
})();
