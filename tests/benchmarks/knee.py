"""Print the test error over the units of a code for shapes of one to four causes, and whether the knee is there.

python tests/benchmarks/knee.py, or with the numbers of causes: python tests/benchmarks/knee.py 2 3
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import aecore
from aecore import devices, sweep
from aecore.recipes import sweep_settings


def main(numbers: list[int]) -> None:
    for number in numbers:
        dataset = aecore.load_dataset(f"shapes_{number}")
        runs = sweep.runs_of(sweep_settings(dataset.name, len(dataset.train)))
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            store = aecore.Store(folder)
            for run in runs:
                devices.spare_threads(run.batch_size, background=False)
                *_, trained = aecore.train(run, dataset)
                store.save(trained)
            seconds = time.perf_counter() - begun
            found = {0: sweep.mean_error(dataset)} | sweep.errors(runs, dataset, store)
        pca = sweep.baseline(dataset)
        print(f"{dataset.title}: {seconds:.0f} s for {len(runs)} runs, mean image {found[0]:.5f}")
        for latent in sweep.LATENTS:
            ratio = found[latent] / found[latent - 1]
            print(
                f"  {latent} units: test MSE {found[latent]:.6f}, {ratio:.3f} of the one before, PCA {pca[latent]:.5f}"
            )
        drop = found[number] / found[number - 1]
        after = min(found[latent] / found[latent - 1] for latent in sweep.LATENTS if latent > number)
        print(f"  at {number}: {drop:.4f} of the one before (below .1 is asked), after it at least {after:.2f} (.5)")
        print(f"  the knee is at {sweep.knee(found, found[0])}", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 2, 3, 4])
