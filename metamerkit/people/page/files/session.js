// "metamers experiment serve" answers this file with the participant's number and rows.
window.session = null;
