package fleet

// Sweep is what the loop does each time.
var Sweep = (*Service).sweep
