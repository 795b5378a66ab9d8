"use strict";
/* Maps, tables and the choice of a dataset. Reads the JSON beside each table; sends and loads nothing. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const root = document.documentElement;

  /** Shows the index, or the dataset of the address, when there are several. */
  function chooseDataset(explorers) {
    const index = document.getElementById("index");
    const sections = [...document.querySelectorAll("section.dataset")];
    if (index && sections.length > 1) {
      const wanted = location.hash.slice(1);
      const chosen = sections.find((s) => s.id === wanted);
      index.hidden = Boolean(chosen);
      for (const section of sections) section.hidden = section !== chosen;
    }
    for (const one of explorers) one.shown();
  }

  class Explorer {
    constructor(element) {
      this.element = element;
      this.section = element.closest("section");
      this.data = JSON.parse(element.querySelector("script.data").textContent);
      this.rows = [...element.querySelectorAll("tbody tr[data-i]")];
      this.byNumber = new Map(this.rows.map((row) => [Number(row.dataset.i), row]));
      this.texts = new Map(this.rows.map((row) => [row, row.textContent.toLocaleLowerCase()]));
      this.total = element.querySelector(".count")?.textContent ?? "";
      this.kinds = [...element.querySelectorAll("input.kind")];
      this.search = element.querySelector(".search");
      this.picked = null;
      for (const kind of this.kinds) kind.addEventListener("change", () => this.filter());
      this.search?.addEventListener("input", () => this.filter());
      for (const button of element.querySelectorAll("[data-sort]")) {
        button.addEventListener("click", () => this.sort(button));
      }
      element.querySelector("tbody")?.addEventListener("click", (event) => {
        const row = event.target.closest("tr[data-i]");
        if (row && String(getSelection()) === "") this.pick(Number(row.dataset.i), true);
      });
      const map = element.querySelector(".map");
      if (map && this.data.bounds) this.map = new SpatialMap(map, this.data, this);
    }

    shown() {
      if (!this.section.hidden) this.map?.start();
    }

    visible() {
      return this.rows.filter((row) => !row.hidden);
    }

    filter() {
      const kinds = new Set(this.kinds.filter((k) => k.checked).map((k) => Number(k.value)));
      const words = (this.search?.value ?? "").toLocaleLowerCase().split(/\s+/).filter(Boolean);
      for (const row of this.rows) {
        const mark = this.data.marks[Number(row.dataset.i)];
        const text = this.texts.get(row);
        row.hidden = !kinds.has(mark.s) || !words.every((word) => text.includes(word));
      }
      const left = this.visible().length;
      const count = this.element.querySelector(".count");
      if (count) count.textContent = left === this.rows.length ? this.total : `${left} of ${this.total}`;
      if (this.picked !== null && this.byNumber.get(this.picked)?.hidden) this.clear();
      this.map?.draw();
    }

    sort(button) {
      const head = button.closest("th");
      const column = head.cellIndex;
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = ["measure", "place"].includes(button.dataset.sort);
      const compare = new Intl.Collator(undefined, { numeric: true }).compare;
      const keyed = this.rows.map((row) => {
        const cell = row.cells[column];
        const text = cell.dataset.value ?? cell.textContent;
        return [numeric ? (text === "" ? NaN : Number(text)) : text, row];
      });
      keyed.sort(([a, x], [b, y]) => {
        // Rows without a value stay last in both directions.
        const missing = numeric ? Number.isNaN(a) - Number.isNaN(b) : (a === "") - (b === "");
        const order = numeric ? a - b || 0 : compare(a, b);
        return missing || (down ? -order : order) || x.dataset.i - y.dataset.i;
      });
      this.rows = keyed.map(([, row]) => row);
      this.element.querySelector("tbody").append(...this.rows);
    }

    clear() {
      if (this.picked !== null) this.byNumber.get(this.picked)?.removeAttribute("aria-current");
      this.picked = null;
      const said = this.element.querySelector(".chosen");
      if (said) said.textContent = "";
    }

    /** Marks one row and its place; moves the map there when asked from the table. */
    pick(number, move) {
      this.clear();
      this.picked = number;
      const row = this.byNumber.get(number);
      row.setAttribute("aria-current", "true");
      const [check, features, reason, measure, place] = [...row.cells].map((c) => c.textContent.trim());
      const said = this.element.querySelector(".chosen");
      const at = this.data.marks[number].p ? ` at ${place}, ${this.data.crs ?? "unknown CRS"}` : ", without a place";
      if (said) said.textContent = [check, [features, reason, measure].filter(Boolean).join(", ") + at].join(": ");
      if (move) {
        this.map?.show(number);
        this.map?.element.scrollIntoView({ block: "nearest" });
      } else {
        const box = this.element.querySelector(".tall");
        box.scrollTop += row.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
      }
      this.map?.draw();
    }

    step(by) {
      const rows = this.visible();
      if (!rows.length) return;
      const at = rows.findIndex((row) => Number(row.dataset.i) === this.picked);
      const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : (at + by + rows.length) % rows.length;
      this.pick(Number(rows[next].dataset.i), true);
    }
  }

  class SpatialMap {
    constructor(element, data, owner) {
      this.element = element;
      this.data = data;
      this.owner = owner;
      this.stage = element.querySelector(".stage");
      this.canvas = element.querySelector("canvas");
      this.layer = element.querySelector(".marks");
      this.pointers = new Map();
      const [xmin, ymin, xmax, ymax] = data.bounds;
      const middle = Math.max(-85, Math.min(85, (ymin + ymax) / 2));
      // Degrees of longitude are shorter than degrees of latitude.
      this.across = data.geographic ? Math.cos((middle * Math.PI) / 180) : 1;
      this.smallest = Math.max(Math.abs(xmin), Math.abs(xmax), Math.abs(ymin), Math.abs(ymax), 1e-9) * 1e-13;
      element.hidden = false;
    }

    /** Prepares the map when it is seen for the first time. */
    start() {
      if (this.started) return;
      this.started = true;
      this.marks = this.data.marks.map((mark, number) => (mark.p ? this.symbol(mark, number) : null));
      // A rare kind is drawn after, and so above, the frequent ones.
      const count = new Map();
      for (const { s } of this.data.marks) count.set(s, (count.get(s) ?? 0) + 1);
      this.order = [...this.data.marks.entries()]
        .sort(([, a], [, b]) => count.get(b.s) - count.get(a.s) || b.s - a.s);
      if (this.data.picture) {
        this.picture = new Image();
        this.picture.addEventListener("load", () => this.draw());
        this.picture.src = this.data.picture.address;
      }
      this.listen();
      new ResizeObserver(() => this.resize()).observe(this.stage);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
      this.resize();
      this.all();
    }

    symbol(mark, number) {
      const group = document.createElementNS(SVG, "g");
      group.setAttribute("class", `mark s${mark.s % 8}`);
      group.dataset.i = number;
      const row = this.owner.byNumber.get(number);
      const title = document.createElementNS(SVG, "title");
      title.textContent = row ? [...row.cells].slice(0, 4).map((c) => c.textContent.trim()).filter(Boolean).join(", ") : "";
      const hit = document.createElementNS(SVG, "circle");
      hit.setAttribute("class", "hit");
      hit.setAttribute("r", "11");
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", this.data.shapes[mark.s % this.data.shapes.length]);
      group.append(title, hit, path);
      return group;
    }

    listen() {
      const stage = this.stage;
      stage.addEventListener("wheel", (event) => {
        event.preventDefault();
        const unit = [1, 16, 400][event.deltaMode];
        this.zoom(Math.exp(-Math.max(-600, Math.min(600, event.deltaY * unit)) / 400), ...this.at(event));
      }, { passive: false });
      stage.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        this.pointers.set(event.pointerId, this.at(event));
        this.moved = 0;
      });
      stage.addEventListener("pointermove", (event) => this.move(event));
      for (const name of ["pointerup", "pointercancel"]) {
        stage.addEventListener(name, (event) => {
          this.pointers.delete(event.pointerId);
          stage.classList.remove("moving");
        });
      }
      stage.addEventListener("click", (event) => {
        const mark = event.target.closest("g[data-i]");
        if (mark && this.moved < 5) this.owner.pick(Number(mark.dataset.i), false);
      });
      stage.addEventListener("dblclick", (event) => this.zoom(2, ...this.at(event)));
      stage.addEventListener("keydown", (event) => this.key(event));
      for (const button of this.element.querySelectorAll("[data-do]")) {
        button.addEventListener("click", () => this.act(button.dataset.do));
      }
    }

    at(event) {
      const box = this.stage.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    move(event) {
      const here = this.at(event);
      const before = this.pointers.get(event.pointerId);
      if (!before) {
        this.say(here);
        return;
      }
      const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      this.moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
      if (others.length) {
        const [other] = others;
        const span = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
        this.zoom(span(here) / span(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
      } else if (this.moved >= 5) {
        this.stage.setPointerCapture(event.pointerId);
        this.stage.classList.add("moving");
        this.pan(before[0] - here[0], before[1] - here[1]);
      }
      this.pointers.set(event.pointerId, here);
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const step = Math.min(this.width, this.height) / 5;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      const acts = { "+": "in", "=": "in", "-": "out", "0": "all", Home: "all", n: "next", p: "previous", Escape: "none" };
      if (moves[event.key]) this.pan(...moves[event.key]);
      else if (acts[event.key]) this.act(acts[event.key]);
      else return;
      event.preventDefault();
    }

    act(name) {
      const middle = [this.width / 2, this.height / 2];
      if (name === "in") this.zoom(1.6, ...middle);
      else if (name === "out") this.zoom(1 / 1.6, ...middle);
      else if (name === "all") this.all();
      else if (name === "next") this.owner.step(1);
      else if (name === "previous") this.owner.step(-1);
      else {
        this.owner.clear();
        this.draw();
      }
    }

    resize() {
      const box = this.stage.getBoundingClientRect();
      const first = !this.width;
      [this.width, this.height] = [Math.max(box.width, 1), Math.max(box.height, 1)];
      const dense = devicePixelRatio || 1;
      this.canvas.width = Math.round(this.width * dense);
      this.canvas.height = Math.round(this.height * dense);
      this.layer.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
      if (!first) this.draw();
    }

    all() {
      this.fit(this.data.bounds, 0.08);
    }

    /** Shows an extent, with a margin as a share of its size. */
    fit([xmin, ymin, xmax, ymax], margin) {
      const wide = Math.max((xmax - xmin) * this.across, this.smallest);
      const high = Math.max(ymax - ymin, this.smallest);
      [this.x, this.y] = [(xmin + xmax) / 2, (ymin + ymax) / 2];
      this.scale = Math.min(this.width / wide, this.height / high) / (1 + 2 * margin);
      this.draw();
    }

    /** Shows one place with what is around it. */
    show(number) {
      const mark = this.data.marks[number];
      if (!mark.p) return;
      const box = [mark.p[0], mark.p[1], mark.p[0], mark.p[1]];
      const grow = (flat) => {
        for (let i = 0; i < flat.length; i += 2) {
          box[0] = Math.min(box[0], flat[i]);
          box[2] = Math.max(box[2], flat[i]);
          box[1] = Math.min(box[1], flat[i + 1]);
          box[3] = Math.max(box[3], flat[i + 1]);
        }
      };
      for (const flat of [...(mark.g?.l ?? []), ...(mark.g?.a ?? [])]) grow(flat);
      const [xmin, ymin, xmax, ymax] = this.data.bounds;
      const whole = Math.max((xmax - xmin) * this.across, ymax - ymin, this.smallest);
      const own = Math.max((box[2] - box[0]) * this.across, box[3] - box[1]);
      // A point has no size: show a fortieth of the dataset around it.
      if (own <= this.smallest) {
        const half = whole / 80;
        this.fit([box[0] - half / this.across, box[1] - half, box[2] + half / this.across, box[3] + half], 0);
      } else this.fit(box, 1);
    }

    zoom(factor, px, py) {
      const [xmin, ymin, xmax, ymax] = this.data.bounds;
      const whole = Math.max((xmax - xmin) * this.across, ymax - ymin, this.smallest);
      const low = Math.min(this.width, this.height) / whole / 8;
      const scale = Math.max(low, Math.min(Math.max(1 / this.smallest, low), this.scale * factor));
      const [x, y] = this.world(px, py);
      this.scale = scale;
      this.x = x - (px - this.width / 2) / (scale * this.across);
      this.y = y + (py - this.height / 2) / scale;
      this.draw();
    }

    pan(dx, dy) {
      this.x += dx / (this.scale * this.across);
      this.y -= dy / this.scale;
      this.draw();
    }

    world(px, py) {
      return [
        this.x + (px - this.width / 2) / (this.scale * this.across),
        this.y - (py - this.height / 2) / this.scale,
      ];
    }

    /** Differences are taken first: numbers stay exact however close the view is. */
    pixel(x, y) {
      return [
        (x - this.x) * this.scale * this.across + this.width / 2,
        (this.y - y) * this.scale + this.height / 2,
      ];
    }

    say([px, py]) {
      const digits = Math.max(0, Math.min(12, Math.ceil(Math.log10(this.scale)) + 1));
      const [x, y] = this.world(px, py);
      this.element.querySelector(".place").textContent = `${x.toFixed(digits)}, ${y.toFixed(digits)}`;
    }

    ruler() {
      const metre = this.data.geographic ? 111195 : this.data.metre;
      const unit = metre ?? 1;
      const most = (120 / this.scale) * unit;
      const power = 10 ** Math.floor(Math.log10(most));
      const length = [5, 2, 1].map((n) => n * power).find((n) => n <= most) ?? power;
      this.element.querySelector(".bar").style.width = `${(length / unit) * this.scale}px`;
      let text = `${Number(length.toPrecision(1))}`;
      if (metre) {
        const steps = [[1000, "km"], [1, "m"], [0.01, "cm"], [0.001, "mm"], [1e-6, "µm"]];
        const [size, name] = steps.find(([s]) => length >= s * 0.999) ?? [1e-9, "nm"];
        text = `${Number((length / size).toPrecision(3))} ${name}`;
      }
      this.element.querySelector(".length").textContent = text;
    }

    draw() {
      if (!this.started || this.queued) return;
      this.queued = true;
      requestAnimationFrame(() => {
        this.queued = false;
        this.paint();
      });
    }

    paint() {
      const style = getComputedStyle(root);
      const colour = (name) => style.getPropertyValue(name).trim();
      const dense = this.canvas.width / this.width;
      const pen = this.canvas.getContext("2d");
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.clearRect(0, 0, this.width, this.height);
      pen.lineJoin = pen.lineCap = "round";
      if (this.picture?.complete && this.picture.naturalWidth) this.photo(pen, dense);
      if (this.data.extent) {
        const [xmin, ymin, xmax, ymax] = this.data.extent;
        pen.setLineDash([6, 5]);
        this.shape(pen, { l: [[xmin, ymin, xmax, ymin, xmax, ymax, xmin, ymax, xmin, ymin]] }, colour("--edge"), null, 1);
        pen.setLineDash([]);
      }
      const whole = Math.max((this.data.bounds[2] - this.data.bounds[0]) * this.across, this.data.bounds[3] - this.data.bounds[1]);
      // The overview is simplified for the whole map: closer, it would lie.
      if (whole * this.scale < 8 * Math.max(this.width, this.height)) {
        for (const one of this.data.overview) this.shape(pen, one, colour("--edge"), colour("--land"), 0.8);
      }
      for (const one of this.data.around) this.shape(pen, one, colour("--near"), colour("--near-fill"), 1.1);
      const picked = this.owner.picked === null ? null : this.data.marks[this.owner.picked];
      for (const i of picked?.f ?? []) this.shape(pen, this.data.around[i], colour("--involved"), colour("--near-fill"), 2.2);
      const groups = [];
      this.order.forEach(([number, mark]) => {
        if (!mark.p || this.owner.byNumber.get(number)?.hidden) return;
        const ink = colour(`--c${mark.s % 8}`);
        this.shape(pen, mark.g, ink, ink, mark === picked ? 3.5 : 2.2, 0.3);
        const [px, py] = this.pixel(...mark.p);
        if (px < -20 || py < -20 || px > this.width + 20 || py > this.height + 20) return;
        const group = this.marks[number];
        group.setAttribute("transform", `translate(${px.toFixed(2)} ${py.toFixed(2)})${mark === picked ? " scale(1.45)" : ""}`);
        group.classList.toggle("picked", mark === picked);
        groups.push(group);
      });
      if (picked?.p) groups.sort((a, b) => a.classList.contains("picked") - b.classList.contains("picked"));
      this.layer.replaceChildren(...groups);
      this.ruler();
      this.stage.dataset.scale = this.scale;
      this.stage.dataset.centre = `${this.x} ${this.y}`;
    }

    photo(pen, dense) {
      const [a, b, c, d, e, f] = this.data.picture.transform;
      const [x, y] = this.pixel(c, f);
      const [across, down] = [this.scale * this.across * dense, this.scale * dense];
      pen.save();
      pen.setTransform(a * across, -d * down, b * across, -e * down, x * dense, y * dense);
      pen.imageSmoothingEnabled = Math.abs(a * across) < 3 * dense;
      pen.drawImage(this.picture, 0, 0, this.data.picture.size[0], this.data.picture.size[1]);
      pen.restore();
    }

    /** Draws points, lines and rings; those outside of the view are left out. */
    shape(pen, one, stroke, fill, width, opacity = 1) {
      if (!one) return;
      pen.strokeStyle = stroke;
      pen.lineWidth = width;
      if (one.a) {
        pen.beginPath();
        let seen = false;
        for (const ring of one.a) seen = this.trace(pen, ring, true) || seen;
        if (seen) {
          if (fill) {
            pen.globalAlpha = opacity;
            pen.fillStyle = fill;
            pen.fill("evenodd");
            pen.globalAlpha = 1;
          }
          pen.stroke();
        }
      }
      if (one.l) {
        pen.beginPath();
        let seen = false;
        for (const line of one.l) seen = this.trace(pen, line, false) || seen;
        if (seen) pen.stroke();
      }
      for (let i = 0; i < (one.p?.length ?? 0); i += 2) {
        const [px, py] = this.pixel(one.p[i], one.p[i + 1]);
        if (px < -9 || py < -9 || px > this.width + 9 || py > this.height + 9) continue;
        pen.beginPath();
        pen.arc(px, py, width + 0.8, 0, 2 * Math.PI);
        pen.fillStyle = stroke;
        pen.fill();
      }
    }

    trace(pen, flat, close) {
      let [xmin, ymin, xmax, ymax] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = 0; i < flat.length; i += 2) {
        xmin = Math.min(xmin, flat[i]);
        xmax = Math.max(xmax, flat[i]);
        ymin = Math.min(ymin, flat[i + 1]);
        ymax = Math.max(ymax, flat[i + 1]);
      }
      const [left, top] = this.pixel(xmin, ymax);
      const [right, bottom] = this.pixel(xmax, ymin);
      if (right < 0 || bottom < 0 || left > this.width || top > this.height) return false;
      let points = [];
      let [lastX, lastY] = [Infinity, Infinity];
      for (let i = 0; i < flat.length; i += 2) {
        const [px, py] = this.pixel(flat[i], flat[i + 1]);
        if (i > 0 && i < flat.length - 2 && Math.abs(px - lastX) + Math.abs(py - lastY) < 0.4) continue;
        points.push([px, py]);
        [lastX, lastY] = [px, py];
      }
      // Canvases count in single precision: what leads far outside is cut first.
      const far = Math.max(-left, -top, right, bottom) > 1e5;
      if (!far) this.line(pen, points);
      else if (close) this.line(pen, cutRing(points, this.width, this.height));
      else for (const [from, to] of cutLine(points, this.width, this.height)) this.line(pen, [from, to]);
      if (close) pen.closePath();
      return true;
    }

    line(pen, points) {
      points.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
    }
  }

  const BEYOND = 2000;

  /** Four half planes around the view: axis, sign and limit. */
  const sides = (width, height) => [[0, 1, -BEYOND], [0, -1, -width - BEYOND], [1, 1, -BEYOND], [1, -1, -height - BEYOND]];

  /** A ring cut by the surroundings of the view (Sutherland and Hodgman). */
  function cutRing(points, width, height) {
    for (const [axis, sign, limit] of sides(width, height)) {
      const out = [];
      points.forEach((to, i) => {
        const from = points[(i || points.length) - 1];
        const [a, b] = [sign * from[axis] - limit, sign * to[axis] - limit];
        if (a >= 0 !== b >= 0) out.push([0, 1].map((k) => from[k] + ((to[k] - from[k]) * a) / (a - b)));
        if (b >= 0) out.push(to);
      });
      points = out;
    }
    return points;
  }

  /** The pieces of a line in the surroundings of the view (Liang and Barsky). */
  function cutLine(points, width, height) {
    const out = [];
    for (let i = 1; i < points.length; i += 1) {
      const [from, to] = [points[i - 1], points[i]];
      let [start, end] = [0, 1];
      for (const [axis, sign, limit] of sides(width, height)) {
        const [a, b] = [sign * from[axis] - limit, sign * to[axis] - limit];
        if (a < 0 && b < 0) end = -1;
        else if (a < 0) start = Math.max(start, a / (a - b));
        else if (b < 0) end = Math.min(end, a / (a - b));
      }
      if (start < end) out.push([start, end].map((t) => [0, 1].map((k) => from[k] + (to[k] - from[k]) * t)));
    }
    return out;
  }

  const explorers = [...document.querySelectorAll(".explorer")].map((element) => new Explorer(element));
  addEventListener("hashchange", () => {
    chooseDataset(explorers);
    scrollTo(0, 0);
  });
  chooseDataset(explorers);
  root.dataset.ready = "true";
})();
