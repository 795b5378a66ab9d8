/* Questions about a page, asked by test_page.py. */
const all = (css) => [...document.querySelectorAll(css)];
const stage = () => document.querySelector(".stage").dataset;

const visible = () => all("tbody tr[data-i]").filter((row) => !row.hidden).map((row) => +row.dataset.i);
const marks = () => all(".marks g").map((group) => +group.dataset.i);
const places = () => all(".marks g").map((group) => group.getAttribute("transform").match(/[-\d.]+/g).map(Number));
const scale = () => +stage().scale;
const centre = () => stage().centre.split(" ").map(Number);
const picked = () => document.querySelector("tr[aria-current]")?.dataset.i ?? null;
const shown = () => all("nav, section").filter((e) => e.checkVisibility()).map((e) => e.id);
const seen = (css) => {
  const box = document.querySelector(css).getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight;
};
const fits = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
const moving = () => document.getAnimations().length
  + all("*").filter((e) => getComputedStyle(e).transitionDuration !== "0s").length;
const inject = () => {
  const script = document.createElement("script");
  script.textContent = "document.title = 1";
  document.body.append(script);
};

/** Colours [r, g, b, a] of the map at some coordinates. */
const colours = (coordinates) => {
  const canvas = document.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const [x, y] = centre();
  return coordinates.map(([a, b]) => {
    const [px, py] = [(a - x) * scale() + canvas.width / 2, (y - b) * scale() + canvas.height / 2];
    return [...pen.getImageData(px, py, 1, 1).data];
  });
};

/** Opacities along a horizontal line of the map, at a share of its height. */
const opacities = (share) => {
  const canvas = document.querySelector("canvas");
  const line = canvas.getContext("2d").getImageData(0, Math.round(canvas.height * share), canvas.width, 1);
  return [...line.data].filter((_, i) => i % 4 === 3);
};

/** Elements with a word that continues in the next line. */
const broken = () => all("td, th, dd, button, .badge, h1, h2, label").filter((element) => {
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    for (const word of walk.currentNode.data.matchAll(/[^\s/-]+/g)) {
      const range = document.createRange();
      range.setStart(walk.currentNode, word.index);
      range.setEnd(walk.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) return true;
    }
  }
  return false;
}).map((element) => element.textContent);

/** Texts with a contrast under 4.5 to 1 (WCAG 2.1, level AA). */
const contrasts = () => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = all("body *").filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())
    && e.checkVisibility() && !e.closest("script, style, svg, .hidden, .skip, .readout"));
  return texts.map((e) => {
    const [a, b] = [light(numbers(getComputedStyle(e).color)), light(behind(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
};

/** Controls without a name for those who do not see them. */
const nameless = () => all("button, input, a, [tabindex]").filter((e) => !(e.getAttribute("aria-label")
  || e.textContent.trim() || e.labels?.length || e.getAttribute("aria-labelledby"))).length;
