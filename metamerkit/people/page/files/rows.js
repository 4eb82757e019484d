// The rows of a participant: one a trial, as lines of CSV. Each ends in a checksum of
// itself and of the row before, so that a reader finds lines that were cut or edited.
"use strict";

const columns = ["design", "seed", "participant", "schedule", "row", "phase", "stimulus", "condition", "run", "set", "stage", "other", "image", "name",
  "answer", "choice", "correct", "rt_ms", "fixation_ms", "image_ms", "other_ms", "mask_ms", "dropped_frames", "refresh_hz", "time_ms",
  "screen_width", "screen_height", "window_width", "window_height", "pixel_ratio", "magnification", "pixels_per_degree", "distance_mm", "browser", "check"];

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

// crc32 of a text in UTF-8, as eight hexadecimal digits (IEEE 802.3).
function crc32(text) {
  let c = 0xffffffff;
  for (const b of new TextEncoder().encode(text)) c = crcTable[(c ^ b) & 255] ^ (c >>> 8);
  return ((c ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

function csvField(v) {
  const s = v === null || v === undefined ? "" : String(v).replace(/[\r\n]+/g, " ");
  return /[",]/.test(s) ? '"' + s.replaceAll('"', '""') + '"' : s;
}

// fields are those of a line of CSV.
function fields(line) {
  const out = [];
  for (const m of (line + ",").matchAll(/(?:"((?:[^"]|"")*)"|([^",]*)),/g)) out.push(m[1] === undefined ? m[2] : m[1].replaceAll('""', '"'));
  return out;
}

// browserName is the name and version, no more of what the browser says of itself.
function browserName() {
  const m = navigator.userAgent.match(/(Edg|OPR|Firefox|HeadlessChrome|Chrome|Version)\/(\d+)/);
  const os = navigator.userAgent.match(/Windows|Android|iPhone|iPad|Mac OS X|CrOS|Linux/);
  return (m ? m[1].replace("Version", "Safari") + " " + m[2] : "unknown") + (os ? " on " + os[0] : "");
}

// enter says in the document what the page does now, for programs that look on.
function enter(state) {
  document.body.dataset.state = state;
  document.body.dataset.step = Number(document.body.dataset.step || 0) + 1;
}

const rows = {
  lines: [],
  participant: "",
  schedule: 0,
  fixed: {},
  key: "metamers-" + window.designSHA256,

  // kept is what this browser stores of a participant who has begun.
  kept(asked) {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return kept && (!asked || kept.participant === asked) ? kept : null;
    } catch { return null; }
  },

  // open takes up what is stored of the participant. The host may name the participant,
  // the schedule or both.
  open(host = {}) {
    if (window.session) {
      this.participant = String(window.session.participant);
      this.schedule = window.session.participant - 1;
      this.lines = window.session.rows;
      return;
    }
    const asked = host.participant || new URLSearchParams(location.search).get("participant"), kept = this.kept(asked);
    if (kept) {
      Object.assign(this, kept);
      return;
    }
    const random = crypto.getRandomValues(new Uint32Array(2));
    this.participant = asked || "x" + random[0].toString(16).padStart(8, "0");
    this.schedule = host.schedule ?? (/^[0-9]{1,9}$/.test(asked || "") ? Number(asked) - 1 : random[1] % window.design.schedules.length);
    if (this.schedule < 0) this.schedule = 0;
  },

  // done are the rows of these phases.
  done(...phases) {
    return this.lines.map(fields).map(f => Object.fromEntries(columns.map((c, i) => [c, f[i]]))).filter(r => phases.includes(r.phase));
  },

  // add stores a row. It returns when the row is safe.
  async add(row) {
    Object.assign(row, {
      design: window.designSHA256, seed: window.design.seed, participant: this.participant, schedule: this.schedule, row: this.lines.length + 1,
      time_ms: Math.round(performance.timeOrigin + performance.now()), screen_width: screen.width, screen_height: screen.height,
      window_width: innerWidth, window_height: innerHeight, pixel_ratio: devicePixelRatio, browser: browserName(), ...this.fixed
    });
    const before = this.lines.length ? fields(this.lines.at(-1)).at(-1) : "";
    const line = columns.slice(0, -1).map(c => csvField(row[c])).join(",");
    row.check = crc32(before + "\n" + line);
    row.metamers_row = line + "," + row.check; // for a host that keeps jsPsych's data
    this.lines.push(row.metamers_row);
    if (window.session) {
      await this.send(row.metamers_row);
    } else {
      try {
        localStorage.setItem(this.key, JSON.stringify({ participant: this.participant, schedule: this.schedule, lines: this.lines }));
      } catch { }
    }
    return row;
  },

  // send appends a row to the server's file, and tries again until it is there.
  async send(line) {
    for (let wait = 250; ; wait = Math.min(2 * wait, 5000)) {
      try {
        const reply = await fetch("rows", { method: "POST", body: line, headers: { "Content-Type": "text/plain" } });
        if (reply.ok) return;
        if (reply.status < 500) {
          enter("refused");
          document.body.textContent = "The experiment cannot go on: " + await reply.text();
          return new Promise(() => { });
        }
      } catch { }
      await new Promise(done => setTimeout(done, wait));
    }
  },

  csv() { return columns.join(",") + "\n" + this.lines.map(l => l + "\n").join(""); },
  file() { return "subject-" + this.participant.replace(/[^A-Za-z0-9]/g, "") + "_task-" + (window.design.task || "recognition").replaceAll("-", "") + "_data.csv"; },

  // forget ends the participant's session in this browser.
  forget() { try { localStorage.removeItem(this.key); } catch { } }
};
