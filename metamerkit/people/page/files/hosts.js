// What the host of the page needs, by window.settings.save. begin is carried out before the
// experiment and may say who takes part; finish hands the file on at its end; first and
// last are trials of the host.
"use strict";

const hosts = {
  download: {},
  jspsych: {}, // the host keeps jsPsych's data, which hold the rows
  jatos: {
    async begin() {
      await load("jatos.js", "this page is not on a JATOS server");
      await new Promise(done => jatos.onLoad(done));
      return { participant: String(jatos.studyResultId), schedule: Number(jatos.studyResultId) - 1 };
    },
    async finish() {
      await jatos.submitResultData(rows.csv());
      await (jatos.endStudyWithoutRedirect ? jatos.endStudyWithoutRedirect() : jatos.endStudyAjax()); // JATOS before 3.9.7
    }
  },
  datapipe: {
    async begin() {
      if (rows.kept()) return {};
      const { condition } = await (await post(pipe + "condition/", { experimentID: window.settings.experiment })).json();
      if (!Number.isInteger(condition)) throw new Error("DataPipe gave no condition: is condition assignment on?");
      return { schedule: condition };
    },
    finish: () => post(pipe + "data/", { experimentID: window.settings.experiment, filename: rows.file(), data: rows.csv() })
  },
  pavlovia: {
    begin: () => load(window.settings.plugin || "lib/jspsych-7-pavlovia-2022.1.1.js", "this page is not on pavlovia.org"),
    first: () => pavlovia("init", {}),
    last: failed => pavlovia("finish", { participantId: rows.participant, dataFilter: () => rows.csv() }, failed)
  },
  post: { finish: () => post(window.settings.url, rows.csv()) }
};

const pipe = "https://pipe.jspsych.org/api/";

// pavlovia is a trial of Pavlovia's plugin, which goes on after an error.
function pavlovia(command, more, failed = e => { throw e; }) {
  let error = null;
  return {
    type: jsPsychPavlovia, command, ...more, errorCallback: e => { error = e; },
    on_finish: () => {
      if (!error) return;
      while (error.error) error = error.error;
      failed(new Error("Pavlovia: " + (error.message || error)));
    }
  };
}

function load(src, missing) {
  return new Promise((done, fail) => {
    document.head.append(Object.assign(document.createElement("script"), { src, onload: done, onerror: () => fail(new Error(`${src} is missing: ${missing}`)) }));
  });
}

// post sends a text, or a value as JSON.
async function post(url, body) {
  const text = typeof body === "string";
  const reply = await fetch(url, { method: "POST", body: text ? body : JSON.stringify(body), headers: { "Content-Type": text ? "text/csv" : "application/json" } });
  if (!reply.ok) throw new Error(`${url} answered ${reply.status} ${(await reply.text()).slice(0, 200)}`);
  return reply;
}
