"""What the user chose for a file: kept in the user's data folder, back when the file is opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import platformdirs
from pydantic import Field
from qtpy.QtCore import QObject, QTimer, Signal

from napari_qpi_kernel.bridge import KEY
from napari_qpi_kernel.extraction import Request
from napari_qpi_kernel.map_panel import MapPanel
from napari_qpi_kernel.prepare_panel import PreparePanel
from napari_qpi_kernel.scatterers_panel import ScatterersPanel
from napari_qpi_kernel.settings_panel import SettingsPanel
from qpi_kernel.errors import QpiError
from qpi_kernel.extract.settings import ExtractSettings
from qpi_kernel.preprocess.settings import PrepareSettings
from qpi_kernel.scatterers import Scatterers
from qpi_kernel.settings import load, save, settings, to_dict

DEBOUNCE_MS = 400


@settings
class DockState:
    """What the dock "Extract kernel" shows for a file.

    Parameters
    ----------
    region_nm : (x0, y0, x1, y1) or None
        Region [nm]; None for the whole map.
    xy_nm : pairs of float, or None
        Positions of the scatterers [nm]; None lets the extraction find them.
    weight, species, confidence : float, int and float
        One for each scatterer; see `Scatterers`.
    extract, prepare : ExtractSettings, PrepareSettings
        Settings of these stages.
    device : {"auto", "cpu", "cuda"}
        Where to compute.
    """

    region_nm: tuple[float, float, float, float] | None = None
    xy_nm: tuple[tuple[float, float], ...] | None = None
    weight: tuple[float, ...] = ()
    species: tuple[int, ...] = ()
    confidence: tuple[float, ...] = ()
    extract: ExtractSettings = Field(default_factory=ExtractSettings)
    prepare: PrepareSettings = Field(default_factory=PrepareSettings)
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @classmethod
    def of(cls, request: Request) -> "DockState":
        """Return what the dock showed when this was asked for."""
        points: Any = request.scatterers
        columns = {}
        if points is not None:
            names = ("xy_nm", "weight", "species", "confidence")
            columns = {name: getattr(points, name).tolist() for name in names}
        return cls(
            region_nm=request.region_nm,
            extract=request.settings,
            prepare=request.prepare,
            device=request.device,
            **columns,
        )

    @property
    def scatterers(self) -> Scatterers | None:
        """The scatterers; None lets the extraction find them."""
        if self.xy_nm is None:
            return None
        columns: Any = {
            name: getattr(self, name) or None for name in ("weight", "species", "confidence")
        }
        return Scatterers(np.array(self.xy_nm), **columns)


class Memory(QObject):
    """Keeps what the dock shows for the file of its map, and shows it again with that file.

    A file is known by its sha256, wherever it lies; nothing is ever written beside it.

    Parameters
    ----------
    maps, prepare, scatterers, choices
        The parts of the dock.
    ask : callable
        Returns the request that the dock shows.
    parent : QObject
        The dock.
    """

    told = Signal(str)

    def __init__(
        self,
        maps: MapPanel,
        prepare: PreparePanel,
        scatterers: ScatterersPanel,
        choices: SettingsPanel,
        ask: Callable[[], Request],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._maps, self._prepare = maps, prepare
        self._scatterers, self._choices = scatterers, choices
        self._ask = ask
        self._file = ""
        self._known: set[str] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(self._save)
        maps.changed.connect(self.follow)
        for part in (prepare, scatterers, choices):
            part.changed.connect(self._timer.start)
        choices.device.currentIndexChanged.connect(lambda _: self._timer.start())

    def follow(self) -> None:
        """Show what is kept for the file of the map, the first time it is chosen."""
        file = _file_of(self._maps.layer)
        if file == self._file:
            self._timer.start()
            return
        # Another map: what the dock shows was chosen for the one before.
        self._file = file
        self._timer.stop()
        if file and file not in self._known:
            self._known.add(file)
            self._restore()

    def _restore(self) -> None:
        path, name = state_path(self._file), self._maps.layer.name
        if not path.exists():
            return
        try:
            self.show(load(DockState, path))
        except QpiError:
            self.told.emit(f"What was kept for {name} cannot be read and is left aside.")
        else:
            self.told.emit(f"Region, points and settings of {name} are back.")

    def show(self, state: DockState) -> None:
        """Show a state in the dock; region and points are drawn unless they are there.

        Raises
        ------
        QpiError
            If its scatterers are none; nothing is changed then.
        """
        scatterers = state.scatterers
        self._maps.show_region(state.region_nm)
        self._scatterers.choose(scatterers)
        for form, values in (
            (self._choices.form, state.extract),
            (self._choices.more, state.extract),
            (self._prepare.form, state.prepare),
        ):
            form.show_values(to_dict(values))
        self._choices.device.setCurrentText(state.device)

    def _save(self) -> None:
        if not self._file:
            return
        try:
            path = state_path(self._file)
            path.parent.mkdir(parents=True, exist_ok=True)
            save(DockState.of(self._ask()), path)
        except (QpiError, OSError) as error:
            # Half a drawn shape, or a full disk: the work goes on without it.
            self.told.emit(f"Region, points and settings are not kept: {error}")


def state_path(sha256: str) -> Path:
    """Return where the state of a file is kept, in the user's data folder."""
    return platformdirs.user_data_path("napari-qpi-kernel") / "state" / f"{sha256}.json"


def _file_of(layer: Any) -> str:
    """Return the sha256 of the file of a layer, "" if it comes from none."""
    facts = {} if layer is None else layer.metadata.get(KEY, {})
    return str(facts.get("attrs", {}).get("sha256", ""))
