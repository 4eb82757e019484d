// The order of the experiment: consent, instructions, calibration, practice, trials with
// breaks, debrief. What is stored already is left out, so that a reload goes on.
"use strict";

(async () => {
  const d = window.design;
  document.title = d.title;
  const host = window.session ? {} : hosts[window.settings.save];
  if (!host) throw new Error(`settings.js: save is ${JSON.stringify(window.settings.save)}, expected one of ${Object.keys(hosts).join(", ")}`);
  rows.open(await host.begin?.());
  const state = name => () => enter(name);
  const page = html => `<div class="page">${/<h1/.test(html) ? "" : `<h1 class="unseen">${d.title.replace(/[&<]/g, c => c === "&" ? "&amp;" : "&lt;")}</h1>`}${html}</div>`;
  const asPage = (name, html, choices, more = {}) => ({
    type: jsPsychHtmlButtonResponse, stimulus: page(html), choices, ...more,
    on_load: () => { state(name)(); document.querySelector(".jspsych-btn").focus(); }
  });
  // jsPsych listens for keys on its element, so that must be the body: a button that had
  // the focus and is gone leaves it there.
  const jsPsych = initJsPsych({ on_trial_start: () => jsPsych.getDisplayElement().setAttribute("role", "main") });
  const call = (name, f) => ({ type: jsPsychCallFunction, async: true, func: done => { state(name)(); f().then(done); }, on_finish: data => { Object.assign(data, data.value); delete data.value; } });
  const timeline = host.first ? [host.first()] : [];
  timeline.push({
    type: jsPsychPreload, images: [...new Set([...d.practice, ...d.schedules[rows.schedule % d.schedules.length]].map(i => d.stimuli[i]).flatMap(s => s.other ? [s, s.other] : [s]).concat(d.masks).map(f => f.path))],
    message: page("<p>The images are being loaded.</p>"), on_load: state("loading"), continue_after_error: false, show_detailed_errors: true, max_load_time: null
  });
  if (!rows.done("start").length) {
    timeline.push(asPage("consent", d.texts.consent, ["I agree", "I do not agree"], {
      on_finish: data => {
        if (data.response !== 0) {
          state("declined")();
          jsPsych.abortExperiment(page("<p>You did not agree. Nothing was stored. You can close this page.</p>"));
        }
      }
    }), call("starting", () => rows.add({ phase: "start" })));
  }
  timeline.push({
    type: jsPsychInstructions, pages: d.texts.instructions.map(page), show_clickable_nav: true, allow_backward: true,
    on_load: () => { state("instructions")(); }
  });
  if (d.display.calibrate) {
    const before = rows.done("calibration").at(-1);
    if (before) {
      display.perDegree = Number(before.pixels_per_degree);
      display.distance = Number(before.distance_mm);
    } else {
      timeline.push(calibration(state("calibration")));
    }
  }
  timeline.push(call("frames", measureFrames));

  const practiced = rows.done("practice").length;
  for (const stimulus of d.practice.slice(practiced)) timeline.push({ type: RecognitionPlugin, stimulus, phase: "practice", mask: stimulus });
  const trials = d.schedules[rows.schedule % d.schedules.length], tried = rows.done("trial", "catch").length;
  const left = trials.length - tried, parts = d.task ? "pairs of images" : "images";
  if (left) timeline.push(asPage("ready", tried ? `<p>${left} of ${trials.length} ${parts} are left.</p>` : `<p>The experiment begins. It has ${trials.length} ${parts}. From now on you are not told what is right.</p>`, ["Go on"]));
  for (let i = tried; i < trials.length; i++) {
    if (d.break > 0 && i > tried && i % d.break === 0) {
      timeline.push(asPage("break", `<p>Take a break if you like. ${i} of ${trials.length} ${parts} are done.</p>`, ["Go on"]));
    }
    timeline.push({ type: RecognitionPlugin, stimulus: trials[i], phase: d.catch.includes(trials[i]) ? "catch" : "trial", mask: i });
  }
  if (!rows.done("end").length) timeline.push(call("ending", () => rows.add({ phase: "end" })));
  let problem = "";
  const failed = e => { problem = e.message; };
  if (host.last) timeline.push(host.last(failed));
  if (host.finish) timeline.push(call("sending", () => host.finish().then(() => { }, failed)));
  await jsPsych.run(timeline);
  if (document.body.dataset.state === "declined") return;
  debrief(d, page, problem);
})().catch(e => {
  enter("failed");
  document.body.textContent = "The experiment cannot go on: " + e.message;
});

// debrief ends the experiment; where the data are still here, with a link to them.
function debrief(d, page, problem) {
  const box = document.querySelector("[role=main]"), elsewhere = window.session || (window.settings.save !== "download" && !problem);
  box.innerHTML = page(d.texts.debrief);
  if (!elsewhere) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.csv()], { type: "text/csv" }));
    link.download = rows.file();
    link.className = "data";
    link.textContent = "Save your answers";
    const p = document.createElement("p");
    p.append(problem ? `The answers could not be sent (${problem}). ` : "", link, " and send the file to the experimenter.");
    box.firstChild.append(p);
    link.addEventListener("click", () => rows.forget());
    link.focus();
  } else if (!window.session) {
    rows.forget();
  }
  enter("done");
}

// calibration measures the display with a bank card and the viewing distance with the
// blind spot (Li et al. 2020). The arrow keys change the card's size too.
function calibration(begun) {
  const resize = e => {
    const item = document.getElementById("item"), step = { ArrowRight: 1, ArrowUp: 10, ArrowLeft: -1, ArrowDown: -10 }[e.key];
    if (!item || !step) return;
    e.preventDefault();
    const width = Math.max(20, parseInt(item.style.width) + step);
    item.style.width = width + "px";
    item.style.height = Math.round(width * 53.98 / 85.6) + "px";
  };
  return {
    type: jsPsychVirtualChinrest, blindspot_reps: 5, resize_units: "none",
    adjustment_prompt: `<div class="page"><h1>The size of your screen</h1><p>Hold a bank card, or any card of that size, to the screen. Drag the lower right corner, or press the arrow keys, until the grey box is as large as the card. Without a card, make it 85.6 mm (3.37 inches) wide.</p></div>`,
    adjustment_button_prompt: "The box is as large as the card",
    on_load: () => {
      begun();
      document.addEventListener("keydown", resize);
      document.getElementById("end_resize_phase").focus();
    },
    on_finish: data => {
      document.removeEventListener("keydown", resize);
      display.perDegree = data.px2deg;
      display.distance = data.view_dist_mm;
      return rows.add({ phase: "calibration", pixels_per_degree: data.px2deg, distance_mm: data.view_dist_mm }).then(row => Object.assign(data, row));
    }
  };
}
