// The trial as a plugin of jsPsych: fixation, image, mask, choice. Times are counted on
// the display's frames, and the times that came out are in the row.
"use strict";

const display = { period: 1000 / 60, perDegree: 0, distance: 0 };

// measureFrames finds the period of the display: the median of 60 frames.
async function measureFrames() {
  const times = [];
  await new Promise(done => requestAnimationFrame(function next(t) {
    times.push(t);
    times.length > 60 ? done() : requestAnimationFrame(next);
  }));
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  display.period = gaps[gaps.length >> 1];
}

// sideBySide is how many images wide the stage is: two with a space of a quarter between
// them where the task shows images beside each other.
const sideBySide = () => window.design.task === "more-natural" ? 2.25 : 1;

// fit returns how large images are shown: CSS pixels a side, and display pixels for each
// pixel of the image.
function fit() {
  const d = window.design.display, size = window.design.images.size, ratio = devicePixelRatio;
  const most = Math.max(1, Math.floor(Math.min(innerWidth / sideBySide(), innerHeight) * ratio / size));
  if (d.degrees > 0 && d.smooth) {
    const side = d.degrees * display.perDegree;
    return { side, magnification: side * ratio / size };
  }
  let m = d.magnification;
  if (d.degrees > 0) m = Math.max(1, Math.round(d.degrees * display.perDegree * ratio / size));
  m = Math.min(m, most);
  return { side: m * size / ratio, magnification: m };
}

// onGrid puts the images in the middle of the window, on whole pixels of the display.
function onGrid(stage, side) {
  const ratio = devicePixelRatio, whole = x => Math.round(x * ratio) / ratio, width = whole(side * sideBySide());
  stage.style.width = width + "px";
  stage.style.height = side + "px";
  stage.style.left = Math.max(0, whole((innerWidth - width) / 2)) + "px";
  stage.style.top = Math.max(0, whole((innerHeight - side) / 2)) + "px";
  for (const [i, slot] of [...stage.querySelectorAll(".slot")].entries()) {
    slot.style.width = side + "px";
    slot.style.left = i * (width - side) + "px";
  }
}

// picture is an image of the stage.
function picture(kind, path) {
  const image = document.createElement("img");
  image.className = kind;
  image.alt = "";
  image.src = path;
  return image;
}

// fill puts the images of a trial into the stage.
function fill(stage, d, s, mask) {
  const slot = () => stage.appendChild(Object.assign(document.createElement("div"), { className: "slot" }));
  const box = slot(), covers = k => d.masks[(mask + k) % d.masks.length].path;
  if (d.task === "more-natural") { // the answer is the stimulus's side
    const boxes = [box, slot()];
    stage.classList.add("beside");
    boxes[s.answer].append(picture("mask", covers(0)), picture("stimulus", s.path));
    boxes[1 - s.answer].append(picture("mask", covers(1)), picture("other", s.other.path));
  } else {
    box.append(picture("mask", covers(0)), picture("stimulus", s.path));
    if (s.other) box.append(picture("other", s.other.path));
  }
  return Promise.all([...stage.querySelectorAll("img")].map(i => i.decode()));
}

// partsOf are the parts of a trial with their numbers of frames.
function partsOf(d) {
  const t = d.times, all = [["fixation", t.fixation], ["image", t.image], ["mask", t.mask]];
  if (d.task === "same-different") all.splice(1, 0, ["other", t.image], ["gap", t.gap]);
  return all.filter(p => p[1] > 0);
}

// show gives each part its time, one after the other, and returns how long each was
// shown, in milliseconds, and how many frames came late meanwhile.
function show(stage, parts) {
  const times = {};
  let dropped = 0, at = 0, began = 0, last = 0;
  return new Promise(done => requestAnimationFrame(function frame(t) {
    if (last && t - last > 1.5 * display.period) dropped += Math.round((t - last) / display.period) - 1;
    last = t;
    if (!began) {
      began = t;
      stage.dataset.shown = parts[0].name;
    } else if (t - began >= parts[at].ms - display.period / 2) {
      times[parts[at].name] = t - began;
      at++;
      began = t;
      stage.dataset.shown = at < parts.length ? parts[at].name : "";
      if (at === parts.length) return done({ times, dropped });
    }
    requestAnimationFrame(frame);
  }));
}

class RecognitionPlugin {
  static info = {
    name: "metamers-recognition",
    version: "1.0.0",
    parameters: { stimulus: { type: "INT", default: undefined }, phase: { type: "STRING", default: "trial" }, mask: { type: "INT", default: 0 } },
    data: {}
  };

  constructor(jsPsych) { this.jsPsych = jsPsych; }

  async trial(element, trial) {
    const d = window.design, s = d.stimuli[trial.stimulus];
    element.innerHTML = '<h1 class="unseen"></h1><div class="stage" aria-hidden="true"><div class="fixation"></div></div><div class="status" role="status" aria-live="polite"></div>' +
      '<div class="answers" hidden><p class="question" id="question"></p><div class="choices" role="group" aria-labelledby="question"></div></div>';
    element.querySelector("h1").textContent = d.title;
    element.querySelector(".question").textContent = d.question || "What did you see?";
    const stage = element.querySelector(".stage"), { side, magnification } = fit();
    stage.classList.toggle("smooth", d.display.smooth);
    await fill(stage, d, s, trial.mask);
    onGrid(stage, side);
    enter("showing");
    const ms = n => n * 1000 / d.times.refresh;
    // A part lasts a whole number of the display's frames.
    const whole = n => Math.max(1, Math.round(ms(n) / display.period)) * display.period;
    const parts = partsOf(d).map(p => ({ name: p[0], ms: whole(p[1]) }));
    const shown = await show(stage, parts);
    const { choice, rt } = await this.choose(element, d);
    const c = s.condition < 0 ? {} : d.conditions[s.condition];
    const round = x => x === undefined ? 0 : Math.round(x * 100) / 100;
    const row = await rows.add({
      phase: trial.phase, stimulus: trial.stimulus, condition: s.condition, run: c.run, set: c.set, stage: c.stage, other: s.other ? s.other.condition : "", image: s.image, name: s.name,
      answer: d.choices[s.answer].name, choice: choice < 0 ? "" : d.choices[choice].name, correct: choice < 0 ? "" : Number(choice === s.answer), rt_ms: round(rt),
      fixation_ms: round(shown.times.fixation), image_ms: round(shown.times.image),
      other_ms: s.other ? round(shown.times.other || shown.times.image) : "", mask_ms: round(shown.times.mask), dropped_frames: shown.dropped,
      refresh_hz: round(1000 / display.period), magnification: round(magnification), pixels_per_degree: round(display.perDegree), distance_mm: round(display.distance)
    });
    if (trial.phase === "practice") await this.feedback(element, d, s.answer, choice);
    element.innerHTML = "";
    this.jsPsych.finishTrial(row);
  }

  // choose waits for a key or a click, or the end of the time.
  choose(element, d) {
    const answers = element.querySelector(".answers"), box = element.querySelector(".choices"), began = performance.now();
    const columns = d.choices.length < 3 ? 2 : d.choices.length <= 10 ? (d.choices.length > 6 ? 5 : 3) : d.choices.length <= 16 ? 4 : 6;
    box.style.setProperty("--columns", columns);
    return new Promise(done => {
      let timer = 0;
      const end = choice => {
        const rt = performance.now() - began;
        this.jsPsych.pluginAPI.cancelAllKeyboardResponses();
        clearTimeout(timer);
        answers.hidden = true;
        enter("saving");
        done({ choice, rt });
      };
      for (const [i, c] of d.choices.entries()) {
        const b = document.createElement("button");
        b.type = "button";
        b.innerHTML = "<kbd></kbd> <span></span>";
        b.querySelector("kbd").textContent = c.key.toUpperCase();
        b.querySelector("span").textContent = c.name;
        b.addEventListener("click", () => end(i));
        box.append(b);
      }
      answers.hidden = false;
      this.jsPsych.pluginAPI.getKeyboardResponse({
        callback_function: info => end(d.choices.findIndex(c => c.key === info.key.toLowerCase())),
        valid_responses: d.choices.map(c => c.key), rt_method: "performance", persist: false, allow_held_key: false
      });
      if (d.times.limit > 0) timer = setTimeout(() => end(-1), d.times.limit);
      enter("choice");
    });
  }

  feedback(element, d, answer, choice) {
    const status = element.querySelector(".status"), name = d.choices[answer].name;
    status.textContent = choice === answer ? `Correct: ${name}. Press the space bar to go on.` : `Not correct, it was: ${name}. Press the space bar to go on.`;
    enter("feedback");
    return new Promise(done => {
      const end = () => { this.jsPsych.pluginAPI.cancelAllKeyboardResponses(); done(); };
      this.jsPsych.pluginAPI.getKeyboardResponse({ callback_function: end, valid_responses: [" "], persist: false, allow_held_key: false });
      const b = document.createElement("button");
      b.className = "jspsych-btn";
      b.textContent = "Go on";
      b.addEventListener("click", end);
      status.after(b);
    });
  }
}
