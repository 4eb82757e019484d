// Where the data go when the page is not served by "metamers experiment serve":
//   save: "download"                          a CSV file that the participant sends
//   save: "jatos"                             results of a JATOS study
//   save: "datapipe", experiment: "ID"        DataPipe, which writes to OSF
//   save: "post", url: "https://…"            a POST of the CSV text to an address of your own
// Hosts that keep the data of jsPsych themselves, such as cognition.run, need none of it.
window.settings = { save: "download" };
