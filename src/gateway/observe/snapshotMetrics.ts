import { Counter, Gauge, type Registry } from 'prom-client';

/** Where a value of a snapshot goes. */
export interface Reading<Stats> {
  readonly name: string;
  readonly help: string;
  /** `counter`: it only grows, but for restarts of what counts it. */
  readonly type: 'gauge' | 'counter';
  /** Label value to number; the key `''` stands for a metric without labels. */
  readonly values: (stats: Stats) => Readonly<Record<string, number>>;
  readonly label?: string;
}

/** Metrics that are copies of numbers somebody else counts, replaced as a whole whenever they are read. */
export class SnapshotMetrics<Stats> {
  readonly #readings: readonly { reading: Reading<Stats>; metric: Gauge | Counter }[];

  constructor(registry: Registry, readings: readonly Reading<Stats>[]) {
    this.#readings = readings.map((reading) => {
      const { name, help, type, label } = reading;
      const options = { name, help, labelNames: label === undefined ? [] : [label], registers: [registry] };
      return { reading, metric: type === 'gauge' ? new Gauge(options) : new Counter(options) };
    });
  }

  /** Without a snapshot the metrics have no values: old ones would look like news. */
  set(stats: Stats | undefined): void {
    for (const { reading, metric } of this.#readings) {
      metric.reset();
      if (stats === undefined) {
        if (reading.label === undefined) metric.remove();
        continue;
      }
      for (const [value, number] of Object.entries(reading.values(stats))) {
        metric.inc(reading.label === undefined ? {} : { [reading.label]: value }, number);
      }
    }
  }
}
