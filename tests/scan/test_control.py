from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from hazardgeo import scan
from hazardgeo.cloud import PointCloud
from hazardgeo.crs import Height
from hazardgeo.errors import CrsError, HazardGeoWarning, InfeasibleError, InputError, MissingColumnError

LOCAL = np.array([[0, 0, 0], [40, 5, 3], [35, 50, 12], [-8, 44, 6], [15, 20, 25], [30, 30, -4.0]])


def table(source, target, names=None):
    columns = {f"{side}_{axis}_m": xyz[:, k] for side, xyz in (("from", source), ("to", target)) for k, axis in enumerate(AXES)}
    return pd.DataFrame(columns, index=names)


AXES = ("east", "north", "height")


def turned(xyz, rotvec_deg, scale=1.0, shift=(400_000, 3_950_000, 1800)):
    return scale * Rotation.from_rotvec(rotvec_deg, degrees=True).apply(xyz) + np.array(shift)


def test_a_quarter_turn_in_the_plane_is_worked_by_hand():
    source = np.array([[0, 0, 1], [10, 0, 1], [10, 10, 3], [0, 10, 3.0]])
    target = np.array([[500, 700, 101], [500, 710, 101], [490, 710, 103], [490, 700, 103.0]])
    fit = scan.fit_control(table(source, target), crs=32648, height=Height("orthometric"))
    np.testing.assert_allclose(fit.matrix, [[0, -1, 0, 500], [1, 0, 0, 700], [0, 0, 1, 100], [0, 0, 0, 1]], atol=1e-12)
    assert fit.scale == pytest.approx(1)
    assert fit.turn_deg == pytest.approx(90)
    moved = fit.apply(PointCloud(np.array([[5.0, 2.0, 7.0]]), 32647, {"intensity": np.array([9])}))
    np.testing.assert_allclose(moved.xyz, [[498, 705, 107]], atol=1e-12)
    assert moved.crs.to_epsg() == 32648
    assert moved.height == Height("orthometric")


def test_the_error_of_a_point_that_three_others_contradict_is_what_they_leave_it():
    """Corners of a square, the last 0.4 m too far east. By hand: the other three put it at its place exactly."""
    source = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
    pairs = pd.DataFrame(source, columns=["from_east_m", "from_north_m"], index=list("ABCD"))
    pairs[["to_east_m", "to_north_m"]] = source + 1000 + np.array([[0, 0], [0, 0], [0, 0], [0.4, 0]])
    with pytest.warns(HazardGeoWarning, match=r"do not agree with the others: D \(off by 0.400 m\)"):
        fit = scan.fit_control(pairs, crs=32648)
    assert fit.residuals["left_out_m"]["D"] == pytest.approx(0.4)
    assert fit.residuals["suspect"].tolist() == [False, False, False, True]
    assert fit.residuals["height_m"].isna().all()
    assert fit.parameters == ("east_m", "north_m", "turn_rad", "scale")


def test_leaving_a_point_out_is_what_fitting_the_others_gives():
    target = turned(LOCAL, [2.0, -3.0, 40.0], 1.0005) + np.random.default_rng(3).normal(0, 0.02, LOCAL.shape)
    fit = scan.fit_control(table(LOCAL, target), crs=32648, parameters=7)
    others = np.arange(len(LOCAL)) != 4
    without = scan.fit_control(table(LOCAL[others], target[others]), crs=32648, parameters=7)
    missed = LOCAL[4] @ without.matrix[:3, :3].T + without.matrix[:3, 3] - target[4]
    assert fit.residuals["left_out_m"][4] == pytest.approx(np.linalg.norm(missed), rel=0.02)


def test_seven_parameters_are_those_of_a_general_solver():
    rng = np.random.default_rng(5)
    target = turned(LOCAL, [4.0, -6.0, 130.0], 0.9991) + rng.normal(0, 0.03, LOCAL.shape)
    fit = scan.fit_control(table(LOCAL, target), crs=32648, parameters=7)

    def off(p):
        return (turned(LOCAL, p[:3], p[3], target.mean(axis=0)) + p[4:] - target).ravel()

    solved = least_squares(off, [4, -6, 130, 1, 0, 0, 0], xtol=1e-14, ftol=1e-14)
    np.testing.assert_allclose(fit.scale, solved.x[3], rtol=1e-6)
    mine = fit.residuals[["east_m", "north_m", "height_m"]].to_numpy()
    np.testing.assert_allclose(mine, solved.fun.reshape(-1, 3), atol=1e-4)
    assert fit.sigma_m == pytest.approx(np.sqrt((solved.fun**2).sum() / (18 - 7)), rel=1e-4)
    spread = solved.x[3] * np.sqrt(np.linalg.inv(solved.jac.T @ solved.jac)[3, 3]) * fit.sigma_m
    assert np.sqrt(fit.covariance[6, 6]) == pytest.approx(spread, rel=2e-3)


def test_stated_uncertainty_is_the_spread_over_many_surveys():
    rng = np.random.default_rng(7)
    clean = turned(LOCAL, [0, 0, 25.0])
    fits = [scan.fit_control(table(LOCAL, clean + rng.normal(0, 0.02, LOCAL.shape)), crs=32648) for _ in range(150)]
    turns = np.radians([fit.turn_deg for fit in fits])
    stated = np.sqrt(np.mean([fit.covariance[3, 3] for fit in fits]))
    assert turns.std() == pytest.approx(stated, rel=0.2)
    assert np.mean([fit.sigma_m for fit in fits]) == pytest.approx(0.02, rel=0.08)


def test_a_blunder_is_named_and_kept_and_noise_is_not_called_one():
    rng = np.random.default_rng(11)
    names = [f"K{k}" for k in range(6)]
    target = turned(LOCAL, [1.0, 2.0, 70.0]) + rng.normal(0, 0.01, LOCAL.shape)
    assert not scan.fit_control(table(LOCAL, target, names), crs=32648, parameters=7).residuals["suspect"].any()
    target[2] += [0.0, 0.5, 0.0]
    with pytest.warns(HazardGeoWarning, match=r"control points that do not agree with the others: K2 \(off by 0\.[45]"):
        fit = scan.fit_control(table(LOCAL, target, names), crs=32648, parameters=7)
    assert fit.residuals.index[fit.residuals["suspect"]].tolist() == ["K2"]


def test_points_that_check_nothing_say_so():
    source = LOCAL[:2]
    with pytest.warns(HazardGeoWarning, match="so few that none checks the others"):
        fit = scan.fit_control(table(source, turned(source, [0, 0, 30.0]))[_plane_columns()], crs=32648)
    assert np.isnan(fit.sigma_m)
    assert fit.residuals["left_out_m"].isna().all()


def _plane_columns():
    return ["from_east_m", "from_north_m", "to_east_m", "to_north_m"]


def test_an_unknown_height_makes_nothing_else_unknown():
    target = turned(LOCAL, [0, 0, 30.0])
    pairs = table(LOCAL, target)
    pairs.loc[1, "to_height_m"] = np.nan
    fit = scan.fit_control(pairs, crs=32648)
    assert fit.residuals["height_m"].isna().tolist() == [False, True, False, False, False, False]
    assert fit.residuals["east_m"].abs().max() < 1e-6
    assert fit.matrix[2, 3] == pytest.approx(1800)


def test_tables_that_cannot_be_fitted_are_refused():
    target = turned(LOCAL, [0, 0, 30.0])
    pairs = table(LOCAL, target)
    with pytest.raises(MissingColumnError, match="no column to_east_m"):
        scan.fit_control(pairs.drop(columns="to_east_m"), crs=32648)
    with pytest.raises(InputError, match=r"control points \[3\] lack coordinates"):
        scan.fit_control(pairs.assign(from_east_m=pairs["from_east_m"].where(pairs.index != 3)), crs=32648)
    with pytest.raises(InputError, match="must be numbers"):
        scan.fit_control(pairs.assign(from_east_m="here"), crs=32648)
    with pytest.raises(InfeasibleError, match="needs 3 control points, there are 2"):
        scan.fit_control(pairs.iloc[:2], crs=32648, parameters=7)
    with pytest.raises(InfeasibleError, match="all lie on one spot"):
        scan.fit_control(table(LOCAL * 0, target), crs=32648)
    line = np.outer(np.arange(5.0), [3, 4, 1])
    with pytest.raises(InfeasibleError, match="lie on one line"):
        scan.fit_control(table(line, turned(line, [0, 0, 9.0])), crs=32648, parameters=7)
    with pytest.raises(CrsError, match="needs metres"):
        scan.fit_control(pairs, crs=4326)
    with pytest.raises(InputError, match="parameters must be 4"):
        scan.fit_control(pairs, crs=32648, parameters=6)


def test_feet_and_swapped_columns_are_named_and_odd_scales_warned_of():
    target = turned(LOCAL, [0, 0, 30.0])
    with pytest.raises(InputError, match="local coordinates are feet"):
        scan.fit_control(table(LOCAL / 0.3048, target), crs=32648, parameters=7)
    with pytest.raises(InputError, match="fit far better with from_east_m and from_north_m swapped"):
        scan.fit_control(table(LOCAL[:, [1, 0, 2]], target), crs=32648)
    with pytest.warns(HazardGeoWarning, match=r"scale of the control fit is 1\.0100"):
        scan.fit_control(table(LOCAL, turned(LOCAL, [0, 0, 30.0], 1.01))[_plane_columns()], crs=32648)
