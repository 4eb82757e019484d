// Where the data go when the page is not served by "metamers experiment serve":
//   save: "download"                          a CSV file that the participant sends
//   save: "jatos"                             results of a JATOS study
//   save: "datapipe", experiment: "ID"        DataPipe, which writes to OSF
//   save: "pavlovia"                          results of an experiment on pavlovia.org
//   save: "jspsych"                           a host that keeps jsPsych's data, such as cognition.run
//   save: "post", url: "https://…"            a POST of the CSV text to an address of your own
// "metamers experiment export" writes this file for a host.
window.settings = { save: "download" };
