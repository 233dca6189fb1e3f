// Keeps the visitor's secret in this browser, so that a reload does not make them a stranger to their own trainings.
export default function ({ data, setStateValue }) {
  let token = data.token;
  try {
    token = localStorage.getItem("aecore-visitor") || token;
    localStorage.setItem("aecore-visitor", token);
  } catch {
    // a browser that keeps nothing: the secret lasts as long as the session
  }
  if (token !== data.token) setStateValue("token", token);
}
