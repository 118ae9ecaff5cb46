// How views learn of what others change: they ask again every few seconds, unless nobody looks at them. This is the one
// place to change where subscriptions are to be used instead.
export const live = {
  pollInterval: 4000, // milliseconds
  errorPolicy: 'all' as const, // what could be fetched is shown, whatever else failed
  skipPollAttempt: () => document.hidden,
};
