// Read before the application. A static server may replace this file to name another API:
// window.GAPLESS_CONFIG = { apiUrl: "https://api.example.org" };
window.GAPLESS_CONFIG = {};
