// Loaded before the app. A static server may replace this file to set the address of the API:
// window.GAPLESS_CONFIG = { apiUrl: "https://api.example.org" };
window.GAPLESS_CONFIG = {};
