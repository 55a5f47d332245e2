from __future__ import annotations

import httpx

from tests.support.fake_function import render, running_fake
from tests.support.images import random_image


def test_the_fake_distinguishes_photos_and_survives_a_restart() -> None:
    with running_fake() as fake:
        first = httpx.post(fake.url, content=random_image(1), trust_env=False)
        fake.restart()
        second = httpx.post(fake.url, content=random_image(2), trust_env=False)
    assert first.content == render(random_image(1)) != second.content
    assert first.headers["X-Cold-Start"] == second.headers["X-Cold-Start"] == "1"
    assert fake.starts == 2
